"""Hyperparameter tuning: its name stands for the training jobs that it has started, of which one may be meant."""

from __future__ import annotations

from dataclasses import replace

from sm_ssh_entry import contract
from sm_ssh_entry.connect import jobs, names, nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import Ambiguous, NotRegistered

_LISTED = 5
# What a tag filter takes, and what a tuning job may run at once.
_AT_ONCE = 100


def find(access: Access, target: Target, index: int = 0) -> Node | None:
    """Find the node of the one training job of a tuning job that has one; None where there is no such tuning job.

    Args:
        access: account and region.
        target: name of a training job that is none.
        index: which of several nodes of one name.

    Raises:
        NotRegistered: none of its running jobs has a node.
        Ambiguous: several have.
    """
    operation, result = "ListTrainingJobsForHyperParameterTuningJob", "TrainingJobSummaries"
    sagemaker = access.client("sagemaker")
    listed = jobs.paged(sagemaker, operation, result, HyperParameterTuningJobName=target.resource, MaxResults=100)
    children = list(listed)
    if not children:
        return None
    running = [str(child["TrainingJobName"]) for child in children if child.get("TrainingJobStatus") == "InProgress"]
    ssm = access.client("ssm")
    found: list[Node] = []
    if running:
        described = nodes.describe(ssm, nodes.tagged(contract.TAG_RESOURCE_NAME, *running[:_AT_ONCE]))
        online = [node for node in described if node.online]
        tagged = nodes.parallel(lambda node: nodes.with_tags(ssm, node), online)
        found = [node for node in tagged if node.kind == target.kind and target.node in ("", node.label)]
    there = sorted({node.resource for node in found})
    if not there:
        raise NotRegistered(
            f"tuning job {target.resource} has {len(running)} training jobs running, and no node of theirs is Online",
            hint="its image has to be one of sm-ssh, and START_SSH=true in its definition's environment",
        )
    if len(there) > 1:
        raise Ambiguous(
            f"{len(there)} training jobs of tuning job {target.resource} have a node: {', '.join(there[:_LISTED])}"
            + (", …" if len(there) > _LISTED else ""),
            hint=f"name one: {names.host_name(target.kind, there[0])}",
        )
    child = replace(target, resource=there[0])
    return nodes.pick(found, child, index, connected=lambda node: nodes.is_connected(ssm, node))
