"""HyperPod's instances on the plane: by id, by group, by group and number."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.connect import hyperpod, names, places
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import Ambiguous, BadInput, NotFound, SmSshError
from tests.connect import resources
from tests.connect.world import Laptop


@pytest.fixture
def access(laptop: Laptop) -> Access:
    access = Access()
    resources.cluster(access.client("sagemaker"), "pod", head=1, workers=2, workers_1=1)
    return access


def find(access: Access, name: str) -> Node:
    node = hyperpod.find(access, names.parse(f"{name}.hyperpod.sagemaker"))
    assert node is not None
    return node


def refused(access: Access, name: str) -> SmSshError:
    with pytest.raises(SmSshError) as error:
        find(access, name)
    assert error.value.hint
    return error.value


def instances(access: Access, group: str) -> list[str]:
    listed: list[dict[str, Any]] = access.client("sagemaker").list_cluster_nodes(ClusterName="pod")[
        "ClusterNodeSummaries"
    ]
    return sorted(one["InstanceId"] for one in listed if one["InstanceGroupName"] == group)


def test_by_id(access: Access) -> None:
    for group in ("head", "workers"):
        for instance in instances(access, group):
            assert find(access, f"{instance}.pod").node_id == f"sagemaker-cluster:pod_{group}-{instance}"


def test_by_group_and_number(access: Access) -> None:
    head, workers = instances(access, "head"), instances(access, "workers")
    assert find(access, "head.pod").label == head[0]
    assert find(access, "head-1.pod").label == head[0]
    assert find(access, "workers-2.pod").label in workers
    # A group of exactly that name is meant first.
    assert find(access, "workers-1.pod").label == instances(access, "workers-1")[0]


def test_a_group_of_several_and_the_cluster_itself(access: Access) -> None:
    for name in ("workers.pod", "pod"):
        error = refused(access, name)
        assert isinstance(error, Ambiguous)
        assert instances(access, "workers")[0] in error.message
    assert "workers-1.pod.hyperpod.sagemaker" in refused(access, "workers.pod").hint


def test_nothing_of_that_name(access: Access) -> None:
    assert hyperpod.find(access, names.parse("head.other.hyperpod.sagemaker")) is None
    for name in ("other.pod", "workers-3.pod", "workers-0.pod", "i-0123456789abcdef0.pod"):
        assert isinstance(refused(access, name), NotFound)


def test_any_way_is_the_native_one(access: Access) -> None:
    for reach in (Reach(), Reach(via="native")):
        place = places.find(access, names.parse("head.pod.hyperpod.sagemaker"), reach)
        assert (place.native, place.node.kind) == (True, "hyperpod")
    with pytest.raises(BadInput):
        places.find(access, names.parse("head.pod.hyperpod.sagemaker"), Reach(via="hybrid"))
