"""DescribeInstanceInformation: every filter, tags by index, pages in order of registration."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

from sm_ssh_entry import contract
from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.store import Node, Store

# Protocol page, section 11; the items on a page where the caller does not say are the API reference's.
PAGE = 10
_ID = re.compile(rf"(i-[0-9a-f]{{8,17}}|{contract.NODE_ID_PATTERN})\Z")
_PING_STATUS = ("Online", "ConnectionLost", "Inactive")
_SOURCE_TYPE = "AWS::SSM::ManagedInstance"
_RESOURCE_TYPES = ("ManagedInstance", "EC2Instance")

Values = Callable[[Store, Node], str]
# Nodes in order of registration, and which of them pass the filters.
Narrowed: TypeAlias = tuple[list[Node], Callable[[Node], bool]]
_PLAIN: dict[str, Values] = {
    "ActivationIds": lambda _, node: node.activation_id,
    "AgentVersion": lambda _, node: node.info.get("AgentVersion", ""),
    # No associations exist here.
    "AssociationStatus": lambda _, _node: "",
    "IamRole": lambda _, node: node.iam_role,
    "InstanceIds": lambda _, node: node.node_id,
    "PingStatus": lambda store, node: node.ping_status(store.clock(), store.settings),
    "PlatformTypes": lambda _, node: node.info.get("PlatformType", ""),
    "ResourceType": lambda _, _node: "ManagedInstance",
    "SourceIds": lambda _, node: node.node_id,
    "SourceTypes": lambda _, _node: _SOURCE_TYPE,
}


async def describe_instance_information(store: Store, request: Request) -> dict[str, Any]:
    """List managed nodes. Filters are joined by "and", the values of one by "or".

    Raises:
        AwsError: InvalidFilterKey, InvalidInstanceInformationFilterValue, InvalidInstanceId, InvalidNextToken,
            ValidationException.
    """
    params = request.params
    legacy = [(item["key"], item["valueSet"]) for item in params.get("InstanceInformationFilterList") or []]
    filters = [(item["Key"], item["Values"]) for item in params.get("Filters") or []]
    if legacy and filters:
        raise AwsError("ValidationException", "Filters and InstanceInformationFilterList exclude each other.")
    for key, values in (*legacy, *filters):
        _check(key, values)
    tags = [(key, values) for key, values in filters if _is_tag(key)]
    if tags and len(tags) < len(filters):
        raise AwsError("InvalidFilterKey", "Tag filters cannot be combined with other filters.")
    nodes, keep = (
        _by_tags(store, request.region, tags) if tags else _by_fields(store, request.region, legacy or filters)
    )
    items, token = page(request, nodes, attrgetter("serial"), default=PAGE, keep=keep)
    return {"InstanceInformationList": [describe(store, node) for node in items]} | token


def describe(store: Store, node: Node) -> dict[str, Any]:
    """Return one node as the API shows it. What only a heartbeat tells is absent until the first one."""
    fields = ("AgentVersion", "PlatformType", "PlatformName", "PlatformVersion", "IPAddress", "ComputerName")
    heard: dict[str, Any] = {key: node.info[key] for key in fields if key in node.info}
    if "AgentVersion" in heard:
        heard["IsLatestVersion"] = True
    return {
        "InstanceId": node.node_id,
        "PingStatus": node.ping_status(store.clock(), store.settings),
        "LastPingDateTime": node.last_ping or node.registered,
        "ActivationId": node.activation_id,
        "IamRole": node.iam_role,
        "RegistrationDate": node.registered,
        "ResourceType": "ManagedInstance",
        "Name": node.name,
        "SourceId": node.node_id,
        "SourceType": _SOURCE_TYPE,
    } | heard


def _is_tag(key: str) -> bool:
    return key == "tag-key" or key.startswith("tag:")


def _check(key: str, values: list[str]) -> None:
    if key not in _PLAIN and not (_is_tag(key) and key != "tag:"):
        raise AwsError("InvalidFilterKey", f"The specified filter key '{key}' is not valid.")
    if key == "InstanceIds":
        wrong = [value for value in values if not _ID.match(value)]
        if wrong:
            raise AwsError("InvalidInstanceId", f"'{wrong[0]}' is not an instance id.")
    allowed = {"PingStatus": _PING_STATUS, "ResourceType": _RESOURCE_TYPES}.get(key)
    if allowed and not set(values) <= set(allowed):
        raise AwsError("InvalidInstanceInformationFilterValue", f"{key} is one of {', '.join(allowed)}.")


def _by_tags(store: Store, region: str, filters: list[tuple[str, list[str]]]) -> Narrowed:
    """Take the filter that fewest nodes pass from the index; the others are asked of those."""

    def count(one: tuple[str, list[str]]) -> int:
        key, values = one
        if key == "tag-key":
            return sum(store.nodes.count_tagged(region, value) for value in values)
        return store.nodes.count_tagged(region, key.removeprefix("tag:"), values)

    first, *others = sorted(filters, key=count)
    tests = [_tag_test(key, frozenset(values)) for key, values in others]
    return _tagged(store, region, *first), lambda node: all(test(node) for test in tests)


def _tagged(store: Store, region: str, key: str, values: list[str]) -> list[Node]:
    if key != "tag-key":
        return store.nodes.tagged(region, key.removeprefix("tag:"), values)
    if len(values) == 1:
        return store.nodes.tagged(region, values[0])
    matching = {node.serial: node for value in values for node in store.nodes.tagged(region, value)}
    return [matching[serial] for serial in sorted(matching)]


def _tag_test(key: str, values: frozenset[str]) -> Callable[[Node], bool]:
    if key == "tag-key":
        return lambda node: not values.isdisjoint(node.tags)
    name = key.removeprefix("tag:")
    return lambda node: node.tags.get(name) in values


def _by_fields(store: Store, region: str, filters: list[tuple[str, list[str]]]) -> Narrowed:
    ids = [set(values) for key, values in filters if key == "InstanceIds"]
    tests = [(_PLAIN[key], frozenset(values)) for key, values in filters if key != "InstanceIds"]
    nodes = store.nodes.of(region)
    if ids:
        known = (store.nodes.get(value, region) for value in set.intersection(*ids))
        nodes = sorted((node for node in known if node is not None and not node.target), key=attrgetter("serial"))
    return nodes, lambda node: all(read(store, node) in wanted for read, wanted in tests)


OPERATIONS: dict[str, Handler] = {"DescribeInstanceInformation": describe_instance_information}
