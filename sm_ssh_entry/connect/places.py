"""Where a name leads: the one place for all kinds and ways, and the sessions that are started there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.connect import names, opening, registered
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import (
    AccessDenied,
    Ambiguous,
    BadInput,
    ConnectionLost,
    NotFound,
    NotRegistered,
    ServiceError,
    SmSshError,
    Unreachable,
)

HYBRID, NATIVE = "hybrid", "native"
_NOT_THERE = (ConnectionLost, NotFound, NotRegistered, AccessDenied)
# Kinds that only SageMaker's own way leads to, or whose own way says best why nothing does.
_OWN_WORDS = frozenset({"studio", "hyperpod"})


@dataclass(frozen=True)
class Place:
    """Where a name leads.

    Attributes:
        node: the managed node, with its tags; or what stands for one: its id is a target of SageMaker's own then.
        native: whether the way is SageMaker's own.
        hop: host behind the node, ``algo-7``, that is meant and can be reached from its sshd only; ``""``: the node.
        remarks: lines for the user about the choice; commands print them on stderr.
    """

    node: Node
    native: bool = False
    hop: str = ""
    remarks: tuple[str, ...] = ()


def find(access: Access, target: Target, reach: Reach = Reach()) -> Place:  # noqa: B008 - frozen
    """Find the place that a name means.

    A managed node that is Online goes first; where there is none, SageMaker's own way if the resource has it switched
    on; then a node of the job behind one that has registered.

    Args:
        access: account and region.
        target: parsed name.
        reach: which way, and which of several.

    Raises:
        SmSshError: there is none, or not one; in one line.
    """
    try:
        place = look(access, target, reach)
    except Unreachable as error:
        from sm_ssh_entry.connect import diagnose

        raise diagnose.call_failed(error, access) from error
    if place is None:
        from sm_ssh_entry.connect import diagnose

        raise diagnose.no_node(access, target)
    return place


def look(access: Access, target: Target, reach: Reach = Reach()) -> Place | None:  # noqa: B008 - frozen
    """Like ``find``, but None where nothing has that name, at once and without a guess at the reason."""
    if reach.via == NATIVE:
        return _native(access, target, reach)
    if target.kind == "hyperpod" and reach.via == HYBRID:
        raise BadInput(f"{target.host}: HyperPod has SageMaker's own way only", hint="leave --via away")
    problem: SmSshError | None = None
    if target.kind != "hyperpod":
        try:
            found = registered.Search(access, target, reach.index).find()
        except _NOT_THERE as error:
            problem = error
        else:
            if found:
                return Place(found.node, remarks=found.remarks)
    place = _beyond(access, target, reach, problem)
    if place is None and problem is not None:
        raise problem
    return place


def start(access: Access, place: Place, document: str, parameters: Mapping[str, str], *, reason: str) -> Ticket:
    """Start a session at a place.

    Args:
        access: account and region.
        place: where.
        document: AWS's name of it; ``""``: a shell.
        parameters: of the document.
        reason: shown in the session's history.

    Raises:
        BadInput: there is no session to be had there, only ssh.
        SmSshError: why it was refused, in one line.
    """
    node_id = place.node.node_id
    if place.hop:
        raise BadInput(
            f"{place.hop} has no registration of its own: ssh alone reaches it, through {place.node.host}",
            hint=f"sm-ssh connect, or a larger SSH_INSTANCE_COUNT so that {place.hop} registers",
        )
    if not place.native:
        try:
            return opening.start_document(access.client("ssm"), node_id, document, parameters, reason=reason)
        except SmSshError as error:
            from sm_ssh_entry.connect import diagnose

            raise diagnose.no_session(error, access, place.node) from error
    return _start_native(access, place, document, parameters, reason=reason)


def _beyond(access: Access, target: Target, reach: Reach, problem: SmSshError | None) -> Place | None:
    """Return the place where no managed node is Online under the name itself; None: there is none."""
    from sm_ssh_entry.connect import native

    if target.node_id:
        return None
    described, known = _described(access, target, problem)
    if reach.via != HYBRID and target.kind in native.KINDS:
        place = _offered(access, target, reach, described, in_own_words=problem is None and target.kind in _OWN_WORDS)
        if place:
            return place
    if target.kind in names.JOB_KINDS and target.node and problem is None:
        from sm_ssh_entry.connect import hop

        jump = hop.jump(access, target, described)
        if jump:
            return Place(jump, hop=target.node)
    if target.kind == "training" and problem is None and known and described is None:
        from sm_ssh_entry.connect import tuning

        with contextlib.suppress(AccessDenied, ServiceError):  # not everybody may ask; then there is none
            node = tuning.find(access, target, reach.index)
            return Place(node) if node else None
    return None


def _described(access: Access, target: Target, problem: SmSshError | None) -> tuple[Mapping[str, Any] | None, bool]:
    """Return what SageMaker says about a job, None where there is none; and whether it could be asked."""
    from sm_ssh_entry.connect import jobs

    if target.kind not in names.JOB_KINDS or (problem is not None and target.kind != "training"):
        return None, False
    try:
        return jobs.answer_about(access.client("sagemaker"), target), True
    except SmSshError:  # not everybody may; the hybrid way needs none of it
        return None, False


def _offered(
    access: Access, target: Target, reach: Reach, described: Mapping[str, Any] | None, *, in_own_words: bool
) -> Place | None:
    """Return SageMaker's own way where it is switched on; None where not, unless its own words shall say why."""
    from sm_ssh_entry.connect import native

    try:
        if target.kind == "training":
            return Place(native.job_node(target, described), native=True) if described else None
        node = native.find(access, target, reach.index)
        return Place(node, native=True) if node else None
    except SmSshError as error:
        if in_own_words and (isinstance(error, (NotFound, NotRegistered, Ambiguous)) or target.kind == "hyperpod"):
            raise
    return None


def _native(access: Access, target: Target, reach: Reach) -> Place | None:
    from sm_ssh_entry.connect import native

    if target.node_id:
        raise BadInput(
            f"{target.node_id} is a hybrid node", hint="--via native wants the name of a job, an endpoint or a space"
        )
    node = native.find(access, target, reach.index)
    return Place(node, native=True) if node else None


def _start_native(access: Access, place: Place, document: str, parameters: Mapping[str, str], *, reason: str) -> Ticket:
    from sm_ssh_entry.connect import diagnose, native, studio

    node_id = place.node.node_id
    try:
        if studio.is_space(node_id):
            if document != opening.DOCUMENT:
                raise BadInput(
                    f"{place.node.host}: SageMaker's own way into a space carries ssh alone",
                    hint="sm-ssh connect, or forward ports with ssh -L",
                )
            return studio.start(access, node_id)
        try:
            return opening.start_document(access.client("ssm"), node_id, document, parameters, reason=reason)
        except SmSshError as error:
            # Whether these targets take the document for ssh has not been seen on AWS; ports are known to be forwarded.
            if document != opening.DOCUMENT or not native.refused_document(error):
                raise
            return _forwarded(access, node_id, parameters, reason, error)
    except BadInput:
        raise
    except SmSshError as error:
        raise diagnose.no_native_session(error, access, place.node) from error


def _forwarded(access: Access, node_id: str, parameters: Mapping[str, str], reason: str, error: SmSshError) -> Ticket:
    """Forward sshd's port; where that is refused too, the first refusal is told."""
    try:
        return opening.start_forward(access.client("ssm"), node_id, parameters["portNumber"], reason=reason)
    except SmSshError:
        raise error from None
