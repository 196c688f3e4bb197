"""Names of nodes in their groups."""

from __future__ import annotations

from sm_ssh_entry.plane.execution import clusters
from sm_ssh_entry.plane.opt_ml import InstanceGroup


def test_one_type_is_one_group_of_the_services_name() -> None:
    found = clusters.groups({"InstanceType": "ml.g5.xlarge", "InstanceCount": 2})
    assert found == (InstanceGroup("homogeneousCluster", "ml.g5.xlarge", ("algo-1", "algo-2")),)


def test_numbers_go_through_all_groups() -> None:
    group = {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 2}
    found = clusters.groups({"InstanceGroups": [group, {**group, "InstanceGroupName": "b", "InstanceCount": 1}]})
    assert [(one.name, one.nodes) for one in found] == [("a", ("algo-1", "algo-2")), ("b", ("algo-3",))]
