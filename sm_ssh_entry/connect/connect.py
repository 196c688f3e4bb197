"""From a host name to a session: the steps of ``start-proxy``, each taking what the one before returned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import diagnose, hostkeys, keys, names, nodes, push
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import BadInput, SmSshError

DEFAULT_PORT = 22


@dataclass(frozen=True, kw_only=True)
class Request:
    """What ``ssh`` or the user asked for.

    Attributes:
        host: name as it was typed.
        region: given region.
        profile: given profile.
        identity: path of the key to use; ``""``: the usual ones.
        port: sshd's port on a node whose tags do not say it.
        warn: takes one line for the user.
    """

    host: str
    region: str | None = None
    profile: str | None = None
    identity: str = ""
    port: int = DEFAULT_PORT
    warn: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Named(Request):
    """The name is understood."""

    target: Target
    access: Access


@dataclass(frozen=True, kw_only=True)
class Found(Named):
    """The node is known, with its tags."""

    ssm: Any
    node: Node


@dataclass(frozen=True, kw_only=True)
class Keyed(Found):
    """The node takes this key."""

    key: Key


@dataclass(frozen=True, kw_only=True)
class Pinned(Keyed):
    """``ssh`` will trust the node's host key and no other; its sshd listens here."""

    sshd_port: int


def parse_name(request: Request) -> Named:
    """Take the host name apart."""
    target = names.parse(request.host)
    access = Access(request.region, request.profile).towards(target)
    return Named(**vars(request), target=target, access=access)


def find_node(named: Named) -> Found:
    """Find the one node that is meant, or say why there is none."""
    ssm = named.access.client("ssm")
    # The session's modules load while this thread waits for answers; the last step would have to wait for them.
    threading.Thread(target=_load_session, name="load", daemon=True).start()
    try:
        node = nodes.find(ssm, named.target)
    except SmSshError as error:
        raise diagnose.call_failed(error, named.access) from error
    if node is None:
        raise diagnose.no_node(named.access, named.target)
    return Found(**vars(named), ssm=ssm, node=node)


def authorize_key(found: Found) -> Keyed:
    """Make sure that the node takes one of our keys."""
    candidates = keys.candidates(found.identity)
    return Keyed(**vars(found), key=push.authorize(found.ssm, found.node, candidates))


def pin_host_key(keyed: Keyed) -> Pinned:
    """Write the node's host key where ``ssh`` looks it up, under the name it was called by and under the node's id."""
    host_key = keyed.node.tag(contract.TAG_HOST_KEY)
    if host_key:
        hostkeys.pin((keyed.target.alias, keyed.node.node_id), host_key)
    else:
        keyed.warn(f"{keyed.node.node_id} has no tag {contract.TAG_HOST_KEY}: its host key cannot be checked for you")
    return Pinned(**vars(keyed), sshd_port=_port(keyed.node, keyed.port))


def open_session(pinned: Pinned) -> int:
    """Join our standard input and output to the node's sshd until either side ends."""
    from sm_ssh_entry.connect import session

    def refused(error: SmSshError) -> SmSshError:
        return diagnose.no_session(error, pinned.access, pinned.node)

    return session.run(pinned.ssm, pinned.node.node_id, pinned.sshd_port, refused=refused)


STEPS: tuple[Callable[[Any], Any], ...] = (parse_name, find_node, authorize_key, pin_host_key, open_session)


def run(request: Request) -> int:
    """Take all steps; return the exit status.

    Raises:
        SmSshError: whatever is in the way, in one line.
    """
    value: Any = request
    for step in STEPS:
        value = step(value)
    return int(value)


def _load_session() -> None:
    from sm_ssh_entry.connect import session  # noqa: F401 - the import is the purpose


def _port(node: Node, default: int) -> int:
    text = node.tag(contract.TAG_PORT) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise BadInput(f"the tag {contract.TAG_PORT} of {node.node_id} is not a port: {text!r}")
    return int(text)
