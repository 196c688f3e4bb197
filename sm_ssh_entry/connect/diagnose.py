"""From "it did not work" to the one line that says why. Everything here runs on the failure path only."""

from __future__ import annotations

import contextlib

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import elsewhere, jobs
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
# What Session Manager and SageMaker say of a target whose agent is not there.
_NOT_CONNECTED = frozenset({"TargetNotConnected", "InvalidInstanceId"})
_ROLE = "its execution role needs the four ssmmessages:…Channel actions, and its network the endpoint ssmmessages"
_OWN_AGENT = {
    "training": f"try again in a minute; {_ROLE}",
    "inference": f"AWS support has to allow SSM access to endpoints first; {_ROLE}",
    "hyperpod": "the instance may be starting or being replaced; try again in a minute",
    "studio": "restart the space's app: remote access counts from its next start",
}
_STARTING = {
    "inference": "sm-ssh wait waits for it; its model needs START_SSH=true, SSH_SESSION_ID and a role that may create "
    "activations",
    "notebook": "its lifecycle configuration has to start sm-ssh, and its role must be allowed to create activations",
}
_OWN_POLICY = {
    "studio": "your policy must allow sagemaker:StartSession on the space",
    **dict.fromkeys(
        ("training", "inference", "hyperpod"),
        "your policy must allow ssm:StartSession on this target and on the document",
    ),
}


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
        return not_registered(job, target)
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


def not_registered(job: jobs.Job, target: Target = Target()) -> NotRegistered:  # noqa: B008 - frozen
    """Say that a job exists and has no node: not yet, or not any more.

    Args:
        job: the job, endpoint or notebook.
        target: its name.
    """
    if target.kind == "notebook" and job.ended:
        return NotRegistered(f"{job.noun} {job.name} is {job.state}", hint="aws sagemaker start-notebook-instance")
    if job.ended:
        why = f": {job.reason}" if job.reason else ""
        return NotRegistered(f"{job.noun} {job.name} has ended ({job.status}){why}", hint="its container is gone")
    return NotRegistered(
        f"{job.noun} {job.name} is {job.state}, but no node has registered",
        hint=_STARTING.get(
            target.kind,
            "sm-ssh wait waits for it; the job needs START_SSH=true and a role that may create activations",
        ),
    )


def call_failed(error: SmSshError, access: Access) -> SmSshError:
    """Tell an endpoint that does not answer from a region that does not exist."""
    if isinstance(error, Unreachable):
        try:
            elsewhere.check_region(access)
        except WrongRegion as wrong:
            return wrong
    return error


def no_native_session(error: SmSshError, access: Access, node: Node) -> SmSshError:
    """Say why a session by SageMaker's own way was refused.

    Args:
        error: what the call raised.
        access: account and region.
        node: what stands for the node.
    """
    if isinstance(error, ServiceError) and (error.code in _NOT_CONNECTED or "not connected" in error.message):
        return ConnectionLost(
            f"{node.host}: SageMaker's own agent is not connected ({node.node_id})",
            hint=_OWN_AGENT.get(node.kind, "if it has just started, try again in a minute"),
        )
    if isinstance(error, AccessDenied):
        return AccessDenied(error.message, hint=_OWN_POLICY.get(node.kind, error.hint))
    return call_failed(error, access)


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
