"""HyperPod: from an instance's id, or a group and a number, to the target of a session. Every instance has an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import jobs, nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target, host_name
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import Ambiguous, NotFound, NotRegistered

_LISTED = 5
_RUNNING = "Running"


def find(access: Access, target: Target) -> Node | None:
    """Find an instance of a cluster; None where there is no such cluster.

    Args:
        access: account and region.
        target: ``<instance id>``, ``<group>`` or ``<group>-<n>`` before the cluster's name; n counts from 1, the
            oldest instance of the group.

    Raises:
        NotFound: there is no such group or instance.
        Ambiguous: the group has several.
        NotRegistered: the instance does not run.
    """
    sagemaker = access.client("sagemaker")
    cluster = jobs.called(sagemaker, "DescribeCluster", ClusterName=target.resource)
    if cluster is None:
        return None
    if target.node.lower().startswith("i-"):
        named = {"ClusterName": target.resource, "NodeId": target.node.lower()}
        answer = jobs.called(sagemaker, "DescribeClusterNode", **named)
        chosen = (answer or {}).get("NodeDetails")
    else:
        listed = jobs.paged(sagemaker, "ListClusterNodes", "ClusterNodeSummaries", ClusterName=target.resource)
        chosen = _choose(target, list(listed))
    if not chosen:
        raise NotFound(
            f"cluster {target.resource} has no instance or group {target.node}",
            hint=f"aws sagemaker list-cluster-nodes --cluster-name {target.resource} shows them",
        )
    group, instance = str(chosen["InstanceGroupName"]), str(chosen["InstanceId"])
    status = str((chosen.get("InstanceStatus") or {}).get("Status", ""))
    if status != _RUNNING:
        raise NotRegistered(
            f"instance {instance} of cluster {target.resource} is {status}", hint="try again when it runs"
        )
    cluster_id = str(cluster["ClusterArn"]).rpartition("/")[2]
    return Node(
        f"sagemaker-cluster:{cluster_id}_{group}-{instance}",
        ping=nodes.ONLINE,
        registered=chosen.get("LaunchTime"),
        kind="hyperpod",
        resource=target.resource,
        label=instance,
        tags={},
    )


def _choose(target: Target, every: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    every.sort(key=lambda one: (str(one.get("LaunchTime", "")), str(one["InstanceId"])))
    groups = {str(one["InstanceGroupName"]) for one in every}
    group, dash, number = target.node.rpartition("-")
    if target.node and target.node not in groups and dash and number.isdigit() and group in groups:
        of_group = [one for one in every if one["InstanceGroupName"] == group]
        return of_group[int(number) - 1] if 0 < int(number) <= len(of_group) else None
    fitting = [one for one in every if not target.node or one["InstanceGroupName"] == target.node]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    first = next(iter(sorted(groups))) if not target.node else target.node
    raise Ambiguous(
        f"{target.host} has {len(fitting)} instances: "
        + ", ".join(f"{one['InstanceGroupName']} {one['InstanceId']}" for one in fitting[:_LISTED])
        + (", …" if len(fitting) > _LISTED else ""),
        hint=f"name one: {host_name('hyperpod', target.resource, first + '-1')}, or its id before "
        f"{target.resource}.hyperpod{contract.NAME_SUFFIX}",
    )
