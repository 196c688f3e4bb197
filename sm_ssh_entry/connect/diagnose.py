"""From "it did not work" to the one line that says why. Everything here runs on the failure path only."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import elsewhere, jobs, names, nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node, ago
from sm_ssh_entry.errors import (
    AccessDenied,
    AdvancedTierOff,
    ConnectionLost,
    NotFound,
    NotRegistered,
    ServiceError,
    SmSshError,
    Unreachable,
    WrongRegion,
)

_TIER = "advanced-instances"
_LISTED = 5


def no_node(access: Access, target: Target) -> SmSshError:
    """Say why no managed node has this name: wrong region, no such job, not there yet, or over.

    Args:
        access: account and region in which it was looked for.
        target: the name.
    """
    region = access.effective_region
    try:
        elsewhere.check_region(access)
    except WrongRegion as error:
        return error
    job, asked = None, False
    if jobs.describable(target):
        with contextlib.suppress(SmSshError):  # not everybody may describe jobs; then we know less and say less
            job, asked = jobs.describe(access, target), True
    if job is not None:
        return _beside(access, target, job) or not_registered(job)
    other = elsewhere.region_of(access, target)
    if other:
        return WrongRegion(f"{target.host} is in {other}, not in {region}", hint=f"use --region {other}")
    if asked:
        return NotFound(
            f"there is no {jobs.noun(target)} {target.resource} in {region}",
            hint="check the name, upper and lower case included, and the account (AWS_PROFILE)",
        )
    if target.node_id:
        return NotFound(
            f"there is no managed node {target.node_id} in {region}", hint="sm-ssh list shows what is there"
        )
    return NotFound(
        f"no managed node has the name {target.host} in {region}",
        hint="sm-ssh list shows what is there; a job needs START_SSH=true in its environment",
    )


def _beside(access: Access, target: Target, job: jobs.Job) -> NotRegistered | None:
    """Say that other nodes of the job have registered, this one not; None: none has, or no one node was meant."""
    if not target.node or job.ended:
        return None
    found: tuple[Node, ...] = ()
    with contextlib.suppress(SmSshError):
        found = nodes.matching(access.client("ssm"), replace(target, node=""))
    labels = sorted({node.label for node in found if node.label}, key=names.rank)
    if not labels:
        return None
    there = ", ".join(labels[:_LISTED]) + (", …" if len(labels) > _LISTED else "")
    return NotRegistered(
        f"{target.node} of {job.noun} {job.name} has not registered; {there} {'have' if len(labels) > 1 else 'has'}",
        hint="nodes of a rank from SSH_INSTANCE_COUNT on run sshd only: hop to them from one that has registered",
    )


def not_registered(job: jobs.Job) -> NotRegistered:
    """Say that a job exists and has no node: not yet, or not any more."""
    if job.ended:
        why = f": {job.reason}" if job.reason else ""
        return NotRegistered(f"{job.noun} {job.name} has ended ({job.status}){why}", hint="its container is gone")
    return NotRegistered(
        f"{job.noun} {job.name} is {job.state}, but no node has registered",
        hint="sm-ssh wait waits for it; the job needs START_SSH=true and a role that may create activations",
    )


def call_failed(error: SmSshError, access: Access) -> SmSshError:
    """Tell an endpoint that does not answer from a region that does not exist."""
    if isinstance(error, Unreachable):
        try:
            elsewhere.check_region(access)
        except WrongRegion as wrong:
            return wrong
    return error


def no_session(error: SmSshError, access: Access, node: Node) -> SmSshError:
    """Say why StartSession was refused.

    Args:
        error: what the call raised.
        access: account and region.
        node: with its tags.
    """
    if _TIER in error.message:
        return AdvancedTierOff(
            "Session Manager reaches hybrid nodes only with the advanced-instances tier, which is off here",
            hint="an administrator turns it on: aws ssm update-service-setting --setting-id "
            "/ssm/managed-instance/activation-tier --setting-value advanced",
        )
    if isinstance(error, ServiceError) and error.code == "TargetNotConnected":
        return ConnectionLost(
            f"{node.host}: the agent of {node.node_id} is not connected, last heard {ago(node.last_ping)}",
            hint="if it has just started, try again in some seconds; else its container has ended",
        )
    if isinstance(error, AccessDenied):
        return _denied(error, access, node)
    return call_failed(error, access)


def _denied(error: AccessDenied, access: Access, node: Node) -> AccessDenied:
    owner = node.tag(contract.TAG_OWNER)
    try:
        with aws.errors_of(action="sts:GetCallerIdentity"):
            caller = access.client("sts", timeout=3, attempts=1).get_caller_identity()
    except SmSshError:
        return error
    user = str(caller.get("UserId", ""))
    if owner and user and owner != user:
        return AccessDenied(
            f"{node.host} belongs to {owner}, and you are {user}",
            hint="its owner can submit the job with your aws:userid in SSH_OWNER_TAG",
        )
    if not owner:
        return AccessDenied(
            f"you ({user or 'unknown'}) may not open a session to {node.host}, which has no owner",
            hint="set SSH_OWNER_TAG in the job, or let a policy allow ssm:StartSession on it",
        )
    return error
