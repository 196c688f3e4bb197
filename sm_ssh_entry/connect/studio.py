"""Studio's own way in: spaces with remote access. SageMaker opens a session to the space, and its stream is SSH."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import jobs, nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import STUDIO_PARTS, Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import Ambiguous, NotFound, NotRegistered

_LISTED = 5
_DOMAIN = "d-"
_IN_SERVICE = "InService"


def find(access: Access, target: Target) -> Node:
    """Find the space that a name means.

    Args:
        access: account and region.
        target: ``<space>``, ``<space>.<domain>``, ``<app>.<space>`` or ``<app>.<space>.<domain>``.

    Returns:
        What stands for a node: its id is the space's ARN.

    Raises:
        NotFound: there is no such space.
        Ambiguous: several domains have one of that name.
        NotRegistered: its remote access is off, or no app runs in it.
    """
    sagemaker = access.client("sagemaker")
    app, space, domain = _words(target)
    domain = domain or _domain_of(sagemaker, space, access, target)
    described = jobs.called(sagemaker, "DescribeSpace", DomainId=domain, SpaceName=space)
    if described is None:
        raise _unknown(space, f"domain {domain}", target)
    if (described.get("SpaceSettings") or {}).get("RemoteAccess") != "ENABLED":
        raise NotRegistered(
            f"remote access is off for space {space} of domain {domain}",
            hint=f"stop its app, then aws sagemaker update-space --domain-id {domain} --space-name {space} "
            "--space-settings RemoteAccess=ENABLED, and start it again",
        )
    listed = jobs.paged(sagemaker, "ListApps", "Apps", DomainIdEquals=domain, SpaceNameEquals=space)
    running = [one for one in listed if one.get("Status") == _IN_SERVICE and app in ("", one.get("AppName"))]
    if not running:
        raise NotRegistered(
            f"no {app or 'app'} runs in space {space} of domain {domain}",
            hint="start the space in Studio, then try again",
        )
    return Node(
        str(described["SpaceArn"]),
        ping=nodes.ONLINE,
        registered=running[0].get("CreationTime"),
        kind="studio",
        resource=f"{running[0]['AppName']}.{space}.{domain}",
        tags={},
    )


def is_space(target: str) -> bool:
    """Whether a node's id is a space's ARN."""
    return target.startswith("arn:") and ":space/" in target


def start(access: Access, space_arn: str) -> Ticket:
    """Start a session to a space; arguments and errors as in ``opening.start_document``."""
    sagemaker = access.client("sagemaker")
    with aws.errors_of(action="sagemaker:StartSession"):
        answer: Mapping[str, Any] = sagemaker.start_session(ResourceIdentifier=space_arn)
    return Ticket(space_arn, 0, str(answer["SessionId"]), str(answer["TokenValue"]), str(answer["StreamUrl"]))


def _words(target: Target) -> tuple[str, str, str]:
    """Return app, space and domain, ``""`` for each that the name does not say."""
    words = target.resource.split(".")
    if len(words) == STUDIO_PARTS:
        return words[0], words[1], words[2]
    if len(words) == 1:
        return "", words[0], ""
    return ("", words[0], words[1]) if words[1].startswith(_DOMAIN) else (words[0], words[1], "")


def _domain_of(sagemaker: Any, space: str, access: Access, target: Target) -> str:
    listed = jobs.paged(sagemaker, "ListSpaces", "Spaces", SpaceNameContains=space)
    domains = sorted(str(one["DomainId"]) for one in listed if one.get("SpaceName") == space)
    if not domains:
        raise _unknown(space, access.effective_region, target)
    if len(domains) > 1:
        raise Ambiguous(
            f"{len(domains)} domains have a space {space}: {', '.join(domains[:_LISTED])}",
            hint=f"name one: {space}.{domains[0]}.studio{contract.NAME_SUFFIX}",
        )
    return domains[0]


def _unknown(space: str, where: str, target: Target) -> NotFound:
    return NotFound(
        f"{target.host}: there is no space {space} in {where}, and no app of that name has registered",
        hint=f"names look like my-space.d-abc.studio{contract.NAME_SUFFIX}; sm-ssh list shows what has registered",
    )
