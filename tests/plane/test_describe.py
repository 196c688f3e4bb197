"""DescribeInstanceInformation: filters, their rules, and pages."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Node
from tests.plane.agent_calls import register
from tests.plane.conftest import ClientMaker


def add(
    thread: PlaneThread, ssm: Any, count: int, tags: dict[str, str] | None = None, role: str = "Nodes"
) -> list[str]:
    """Put nodes into the store by the table's own way; registration has tests of its own."""
    made = ssm.create_activation(
        IamRole=role, RegistrationLimit=1000, Tags=[{"Key": k, "Value": v} for k, v in (tags or {}).items()]
    )

    def work(plane: Plane) -> list[str]:
        activation = plane.store.activations[made["ActivationId"]]
        nodes = (plane.store.nodes.register(activation, public_key="", fingerprint="", now=1.0) for _ in range(count))
        return [node.node_id for node in nodes]

    return thread.call(work)


def ids(ssm: Any, *filters: tuple[str, list[str]], **params: Any) -> list[str]:
    if filters:
        params["Filters"] = [{"Key": key, "Values": values} for key, values in filters]
    pages = ssm.get_paginator("describe_instance_information").paginate(**params)
    return [one["InstanceId"] for page in pages for one in page["InstanceInformationList"]]


def test_tags_select(shared_plane: PlaneThread, ssm: Any) -> None:
    a = add(shared_plane, ssm, 2, {"SSHResourceName": "a", "SSHNode": "algo-1"})
    b = add(shared_plane, ssm, 2, {"SSHResourceName": "b", "SSHNode": "algo-1"})
    plain = add(shared_plane, ssm, 1)
    assert ids(ssm, ("tag:SSHResourceName", ["a"])) == a
    assert ids(ssm, ("tag:SSHResourceName", ["b", "a"])) == a + b
    assert ids(ssm, ("tag:SSHResourceName", ["b"]), ("tag:SSHNode", ["algo-1"])) == b
    assert ids(ssm, ("tag:SSHResourceName", ["a"]), ("tag:SSHNode", ["algo-2"])) == []
    assert ids(ssm, ("tag-key", ["SSHNode"])) == a + b
    assert ids(ssm, ("tag-key", ["SSHNode", "none"]), ("tag:SSHResourceName", ["b"])) == b
    assert ids(ssm, ("tag:nobody", ["x"])) == []
    assert ids(ssm) == a + b + plain


def test_fields_select(shared_plane: PlaneThread, ssm: Any) -> None:
    made = ssm.create_activation(IamRole="path/Mine", RegistrationLimit=2)
    online, silent = (register(shared_plane.url, made) for _ in range(2))
    online.ping(PlatformType="Linux", AgentVersion="3.3.9.9")
    other = add(shared_plane, ssm, 1)[0]
    everything = [online.node_id, silent.node_id, other]
    assert ids(ssm, ("PingStatus", ["Online"])) == [online.node_id]
    assert ids(ssm, ("PingStatus", ["ConnectionLost"])) == [silent.node_id, other]
    assert ids(ssm, ("PingStatus", ["ConnectionLost", "Online"])) == everything
    assert ids(ssm, ("ActivationIds", [made["ActivationId"]])) == everything[:2]
    assert ids(ssm, ("IamRole", ["path/Mine"]), ("PlatformTypes", ["Linux"])) == [online.node_id]
    assert ids(ssm, ("AgentVersion", ["3.3.9.9"])) == [online.node_id]
    assert ids(ssm, ("InstanceIds", [other, "mi-" + "0" * 17])) == [other]
    assert ids(ssm, ("ResourceType", ["ManagedInstance"])) == everything
    assert ids(ssm, ("ResourceType", ["EC2Instance"])) == []
    assert ids(ssm, ("AssociationStatus", ["Success"])) == []
    assert ids(ssm, ("SourceTypes", ["AWS::SSM::ManagedInstance"]), ("SourceIds", [other])) == [other]
    legacy = [{"key": "InstanceIds", "valueSet": [silent.node_id]}]
    assert ids(ssm, InstanceInformationFilterList=legacy) == [silent.node_id]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Filters": [{"Key": "Color", "Values": ["red"]}]}, "InvalidFilterKey"),
        ({"Filters": [{"Key": "tag:", "Values": ["red"]}]}, "InvalidFilterKey"),
        (
            {"Filters": [{"Key": "tag:a", "Values": ["b"]}, {"Key": "PingStatus", "Values": ["Online"]}]},
            "InvalidFilterKey",
        ),
        ({"Filters": [{"Key": "PingStatus", "Values": ["Maybe"]}]}, "InvalidInstanceInformationFilterValue"),
        ({"Filters": [{"Key": "InstanceIds", "Values": ["host1"]}]}, "InvalidInstanceId"),
        (
            {
                "Filters": [{"Key": "PingStatus", "Values": ["Online"]}],
                "InstanceInformationFilterList": [{"key": "PingStatus", "valueSet": ["Online"]}],
            },
            "ValidationException",
        ),
        ({"InstanceInformationFilterList": [{"key": "tag:a", "valueSet": ["b"]}]}, "ValidationException"),
        ({"Filters": [{"Key": "PingStatus", "Values": ["Online"] * 101}]}, "ValidationException"),
        ({"MaxResults": 51}, "ValidationException"),
        ({"NextToken": "AAAA"}, "InvalidNextToken"),
    ],
)
def test_what_cannot_be_asked(ssm: Any, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as raised:
        ssm.describe_instance_information(**params)
    assert raised.value.response["Error"]["Code"] == code


def test_pages_lose_and_repeat_nothing_while_nodes_come_and_go(shared_plane: PlaneThread, ssm: Any) -> None:
    made = add(shared_plane, ssm, 23)
    first = ssm.describe_instance_information(MaxResults=5)
    assert [one["InstanceId"] for one in first["InstanceInformationList"]] == made[:5]
    ssm.deregister_managed_instance(InstanceId=made[0])
    ssm.deregister_managed_instance(InstanceId=made[4])
    added = add(shared_plane, ssm, 1)
    rest, token = [], first["NextToken"]
    while token:
        page = ssm.describe_instance_information(MaxResults=7, NextToken=token)
        rest += [one["InstanceId"] for one in page["InstanceInformationList"]]
        token = page.get("NextToken")
    assert rest == made[5:] + added


def test_a_token_belongs_to_its_question(shared_plane: PlaneThread, ssm: Any, client: ClientMaker) -> None:
    add(shared_plane, ssm, 11)
    token = ssm.describe_instance_information()["NextToken"]
    for asked, params in (
        (ssm, {"Filters": [{"Key": "PingStatus", "Values": ["Online"]}]}),
        (client("ssm", region="eu-west-1"), {}),
    ):
        with pytest.raises(ClientError) as raised:
            asked.describe_instance_information(NextToken=token, **params)
        assert raised.value.response["Error"]["Code"] == "InvalidNextToken"


def test_one_node_among_twenty_thousand_costs_one_look(shared_plane: PlaneThread, ssm: Any) -> None:
    """By index: the nodes that do not match are not even touched, which a node that breaks when touched shows."""
    for number in range(20):
        add(shared_plane, ssm, 999, {"SSHResourceName": f"job-{number}", "SSHNode": "algo-1"})
    (wanted,) = add(shared_plane, ssm, 1, {"SSHResourceName": "needle", "SSHNode": "algo-1"})

    def forbid(plane: Plane) -> None:
        def touched(region: str) -> list[Node]:
            raise AssertionError(f"every node of {region} was looked at")

        plane.store.nodes.of = touched  # type: ignore[method-assign]

    shared_plane.call(forbid)
    assert ids(ssm, ("tag:SSHResourceName", ["needle"])) == [wanted]
    assert ids(ssm, ("tag:SSHResourceName", ["needle"]), ("tag:SSHNode", ["algo-1"])) == [wanted]
