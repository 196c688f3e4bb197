"""Nodes behind another: without a registration, but with an sshd that the job's other nodes reach.

Nodes of a rank below SSH_INSTANCE_COUNT register, all run sshd. So two registrations open a job of a thousand nodes:
``ssh`` to the first one, and from its sshd on to the one that is meant, whose name only the job's network knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sm_ssh_entry.connect import jobs, names, native, nodes, registered
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node


def jump(access: Access, target: Target, described: Mapping[str, Any] | None) -> Node | None:
    """Return the node to go through, the first of the job that is Online; None where none is.

    Args:
        access: account and region.
        target: name of a node that has not registered.
        described: how SageMaker describes the job; None: it is not known.

    Raises:
        NotFound: the job has not so many nodes.
    """
    if described is not None:
        if jobs.has_ended(described):
            return None
        native.check_number(target, described)
    ssm = access.client("ssm")
    found = [node for node in registered.Search(access, replace(target, node="")).matching() if node.online]
    tagged = nodes.parallel(lambda node: node if node.label else nodes.with_tags(ssm, node), found)
    labelled = [node for node in tagged if node.label]
    return nodes.with_tags(ssm, min(labelled, key=lambda node: names.rank(node.label))) if labelled else None
