"""Where a name leads: the one place for all kinds and ways, and the sessions that are started there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sm_ssh_entry.connect import diagnose, nodes, opening
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import SmSshError, Unreachable


@dataclass(frozen=True)
class Place:
    """Where a name leads.

    Attributes:
        node: the managed node, with its tags; or what stands for one: its id is a target of SageMaker's own then.
        native: whether the way is SageMaker's own.
        hop: host behind the node, ``algo-7``, that is meant and can be reached from its sshd only; ``""``: the node.
    """

    node: Node
    native: bool = False
    hop: str = ""


def find(access: Access, target: Target, reach: Reach = Reach()) -> Place:  # noqa: B008 - frozen
    """Find the place that a name means.

    Args:
        access: account and region.
        target: parsed name.
        reach: which way, and which of several.

    Raises:
        SmSshError: there is none, or not one; in one line.
    """
    del reach
    try:
        node = nodes.find(access.client("ssm"), target)
    except Unreachable as error:
        raise diagnose.call_failed(error, access) from error
    if node is None:
        raise diagnose.no_node(access, target)
    return Place(node)


def start(access: Access, place: Place, document: str, parameters: Mapping[str, str], *, reason: str) -> Ticket:
    """Start a session at a place.

    Args:
        access: account and region.
        place: where.
        document: AWS's name of it; ``""``: a shell.
        parameters: of the document.
        reason: shown in the session's history.

    Raises:
        SmSshError: why it was refused, in one line.
    """
    try:
        return opening.start_document(access.client("ssm"), place.node.node_id, document, parameters, reason=reason)
    except SmSshError as error:
        raise diagnose.no_session(error, access, place.node) from error
