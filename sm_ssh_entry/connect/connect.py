"""From a host name to a session: the steps of ``start-proxy``, each taking what the one before returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import ahead, hostkeys, keys, names, nodes, opening, push
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import BadInput, SmSshError, Unreachable

DEFAULT_PORT = 22
# ResumeSession and TerminateSession: a network that is gone must not hold up the next try for long.
_RESCUE_SECONDS = 5.0


@dataclass(frozen=True, eq=False, repr=False)
class Login:
    """What is known so far. The first four are given; each step fills in one more and relies on those before it.

    One class rather than one for each step: building them takes a millisecond apiece, and a login has 600.

    Attributes:
        host: name as it was typed.
        tell: takes one line for the user.
        reach: how to get there.
        port: sshd's port; given for nodes whose tags do not say it.
        target: the name understood.
        access: account and region.
        ssm: client.
        node: the node, with its tags.
        key: what it lets us in with.
    """

    host: str
    tell: Callable[[str], None]
    reach: Reach = Reach()  # noqa: RUF009 - frozen
    port: int = DEFAULT_PORT
    target: Target = Target()  # noqa: RUF009 - frozen
    access: Access = Access()  # noqa: RUF009 - frozen
    ssm: Any = None
    node: Node = Node("")  # noqa: RUF009 - frozen
    key: Key | None = None


def parse_name(login: Login) -> Login:
    """Take the host name apart."""
    target = names.parse(login.host)
    return replace(login, target=target, access=login.reach.towards(target))


def find_node(login: Login) -> Login:
    """Find the one node that is meant, or say why there is none."""
    ssm = login.access.client("ssm")
    try:
        node = nodes.find(ssm, login.target)
    except Unreachable as error:
        from sm_ssh_entry.connect import diagnose

        raise diagnose.call_failed(error, login.access) from error
    if node is None:
        from sm_ssh_entry.connect import diagnose

        raise diagnose.no_node(login.access, login.target)
    return replace(login, ssm=ssm, node=node, port=_port(node, login.port))


def authorize_key(login: Login) -> Login:
    """Make sure that the node takes one of our keys."""
    return replace(login, key=push.authorize(login.ssm, login.node, keys.candidates(login.reach.identity)))


def pin_host_key(login: Login) -> Login:
    """Write the node's host key where ``ssh`` looks it up, under the name it was called by and under the node's id."""
    node, host_key = login.node, login.node.tag(contract.TAG_HOST_KEY)
    if host_key:
        hostkeys.pin((login.target.alias, node.node_id), host_key)
    else:
        login.tell(f"{node.node_id} has no tag {contract.TAG_HOST_KEY}: its host key cannot be checked for you")
    return login


def start_session(login: Login) -> Ticket:
    """Start a session to the node's sshd."""
    try:
        return opening.start(login.ssm, login.node.node_id, login.port)
    except SmSshError as error:
        from sm_ssh_entry.connect import diagnose

        raise diagnose.no_session(error, login.access, login.node) from error


STEPS: tuple[Callable[[Any], Any], ...] = (parse_name, find_node, authorize_key, pin_host_key, start_session)


def obtain(login: Login) -> Ticket:
    """Take all steps; return what opens the data channel.

    Raises:
        SmSshError: whatever is in the way, in one line.
    """
    value: Any = login
    for step in STEPS:
        value = step(value)
    assert isinstance(value, Ticket)  # noqa: S101 - what the last step returns
    return value


def run(login: Login) -> int:
    """Take all steps, then join our standard input and output to the node's sshd until either side ends.

    Raises:
        SmSshError: whatever is in the way, in one line.
    """
    size = opening.payload_bytes()
    ending = Ending()
    ending.watch_signals()

    def client() -> Any:
        return parse_name(login).access.client("ssm", timeout=_RESCUE_SECONDS)

    ticket = ahead.ticket(
        lambda: obtain(login), lambda session_id: opening.terminate(client(), session_id), _load_session
    )
    from sm_ssh_entry.connect import session

    return session.run(ticket, client, ending, size=size)


def _load_session() -> None:
    import websockets.asyncio.client  # noqa: F401 - the imports are the purpose

    from sm_ssh_entry.connect import session  # noqa: F401


def _port(node: Node, default: int) -> int:
    text = node.tag(contract.TAG_PORT) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise BadInput(f"the tag {contract.TAG_PORT} of {node.node_id} is not a port: {text!r}")
    return int(text)
