"""Nodes without containers, and how the plane lists twenty thousand of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.plane import describe, seed
from sm_ssh_entry.plane.api import AwsError, Request
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Node, Store
from tests.plane.conftest import REGION

MANY = 20_000


def plant(plane: PlaneThread, **fields: Any) -> None:
    plane.call(lambda running: seed.plant(running.store, seed.Seed(region=REGION, **fields)))


def test_nodes_are_as_registrations_of_then_have_left_them(shared_plane: PlaneThread, ssm: Any) -> None:
    plant(shared_plane, nodes=2, kind="processing", owner="AROA:me", age=86_400.0)
    first, second = ssm.describe_instance_information()["InstanceInformationList"]
    assert (first["Name"], second["Name"]) == ("seed-00001", "seed-00002")
    assert first["PingStatus"] == "ConnectionLost"
    listed = ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=first["InstanceId"])["TagList"]
    tags = {one["Key"]: one["Value"] for one in listed}
    assert tags[contract.TAG_RESOURCE_KIND] == "processing"
    assert tags[contract.TAG_OWNER] == "AROA:me"
    assert int(tags[contract.TAG_TIMESTAMP]) == int(first["RegistrationDate"].timestamp())


def test_online_and_untagged_nodes(shared_plane: PlaneThread, ssm: Any) -> None:
    plant(shared_plane, nodes=1, age=86_400.0, online=True, tagged=False)
    (found,) = ssm.describe_instance_information()["InstanceInformationList"]
    assert found["PingStatus"] == "Online"
    listed = ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=found["InstanceId"])
    assert listed["TagList"] == []


@pytest.mark.parametrize("wrong", [{"nodes": 0}, {"nodes": 10**9}, {"nodes": 1, "kind": "x"}, {"nodes": 1, "age": -1}])
def test_what_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match="ValidationException"):
        seed.plant(Store(), seed.Seed(region=REGION, **wrong))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], MANY),
        ([("PingStatus", "ConnectionLost")], MANY),
        ([("tag-key", "SSHResourceKind")], MANY),
        ([("tag:SSHResourceKind", "training"), ("tag:SSHNode", "algo-1")], MANY),
        ([("tag:SSHResourceKind", "training"), ("tag:SSHResourceName", "seed-00077")], 1),
        ([("tag:SSHResourceKind", "training"), ("tag-key", "SSHOwner")], 0),
    ],
)
def test_a_page_of_many_looks_at_no_more_nodes_than_it_shows(
    filters: list[tuple[str, str]], found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    seed.plant(store, seed.Seed(MANY, REGION, age=86_400.0))
    looked_at = 0

    def ping_status(node: Node, *_: object) -> str:
        nonlocal looked_at
        looked_at += 1
        return "ConnectionLost"

    monkeypatch.setattr(Node, "ping_status", ping_status)
    params = {"Filters": [{"Key": key, "Values": [value]} for key, value in filters]}
    seen: set[str] = set()
    pages = 0
    while pages < MANY:
        request = Request("DescribeInstanceInformation", {"MaxResults": 50, **params}, REGION)
        answer = asyncio.run(describe.describe_instance_information(store, request))
        seen |= {one["InstanceId"] for one in answer["InstanceInformationList"]}
        pages += 1
        if "NextToken" not in answer:
            break
        params["NextToken"] = answer["NextToken"]
    assert len(seen) == found
    assert pages == max(1, found // 50)
    # Once to filter and once to show, and one node more to know that there is another page.
    assert looked_at <= 2 * found + pages
