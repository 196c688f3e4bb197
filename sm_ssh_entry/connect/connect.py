"""From a host name to a session: the steps of ``start-proxy``, each taking what the one before returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import ahead, hostkeys, keys, names, opening, places, push
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.opening import Jump, Ticket
from sm_ssh_entry.connect.places import Place
from sm_ssh_entry.errors import BadInput

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
        place: where the name leads.
        key: what it lets us in with.
        way: by what the container is known whose host key may be learned at first sight; ``""``: its key is known.
    """

    host: str
    tell: Callable[[str], None]
    reach: Reach = Reach()  # noqa: RUF009 - frozen
    port: int = DEFAULT_PORT
    target: Target = Target()  # noqa: RUF009 - frozen
    access: Access = Access()  # noqa: RUF009 - frozen
    place: Place = Place(Node(""))  # noqa: RUF009 - frozen
    key: Key | None = None
    way: str = ""


def parse_name(login: Login) -> Login:
    """Take the host name apart."""
    target = names.parse(login.host)
    return replace(login, target=target, access=login.reach.towards(target))


def find_place(login: Login) -> Login:
    """Find the one place that is meant, or say why there is none."""
    place = places.find(login.access, login.target, login.reach)
    for remark in place.remarks:
        login.tell(remark)
    return replace(login, place=place, port=port_of(place.node, login.port), way=_way(place))


def authorize_key(login: Login) -> Login:
    """Make sure that the node takes one of our keys; where none can be pushed, say so at the first time."""
    node, candidates = login.place.node, keys.candidates(login.reach.identity)
    if not (login.place.native or login.place.hop):
        key = push.authorize(login.access.client("ssm"), node, candidates, s3=lambda: login.access.client("s3"))
        return replace(login, key=key)
    from sm_ssh_entry.connect import trust

    listed = node.tag(contract.TAG_KEY_FINGERPRINTS)
    known = keys.known(candidates, listed)
    if not known and (listed or login.place.hop) and not trust.is_known(login.target.alias, login.way):
        login.tell(
            f"{login.place.hop or node.host} has to know your key already, as none can be pushed this way: "
            f"if it refuses, put {candidates[0].identity.name} into {contract.SSH_AUTHORIZED_KEYS} of the job"
        )
    return replace(login, key=known or candidates[0])


def pin_host_key(login: Login) -> Login:
    """Write the node's host key where ``ssh`` looks it up, under the name it was called by and under the node's id.

    Where no tag tells the key of what is meant, it is learned when it is first seen.
    """
    if not login.way:
        node = login.place.node
        hostkeys.pin((login.target.alias, node.node_id), node.tag(contract.TAG_HOST_KEY))
    return login


def start_session(login: Login) -> Ticket | Jump:
    """Start a session to the node's sshd; or tell how another node's sshd leads there."""
    place = login.place
    if place.hop:
        return Jump(place.node.node_id, place.hop, login.port, login.target.user, login.way)
    ticket = places.start(login.access, place, opening.DOCUMENT, {"portNumber": str(login.port)}, reason="ssh")
    return replace(ticket, way=login.way) if login.way else ticket


STEPS: tuple[Callable[[Any], Any], ...] = (parse_name, find_place, authorize_key, pin_host_key, start_session)


def obtain(login: Login) -> Ticket | Jump:
    """Take all steps; return what opens the data channel, or what leads on from another node.

    Raises:
        SmSshError: whatever is in the way, in one line.
    """
    value: Any = login
    for step in STEPS:
        value = step(value)
    assert isinstance(value, (Ticket, Jump))  # noqa: S101 - what the last step returns
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

    found = ahead.ticket(
        lambda: obtain(login),
        lambda session_id: opening.terminate(client(), session_id),
        _load_session,
        ending.is_left,
    )
    watch = _watcher(login, found.way)
    if isinstance(found, Jump):
        from sm_ssh_entry.connect import jump

        return jump.run(found, login.reach, parse_name(login).access.effective_region, watch)
    from sm_ssh_entry.connect import session

    return session.run(found, client, ending, size=size, watch=watch)


def _watcher(login: Login, way: str) -> Callable[[bytes], None]:
    """Return what has to see the server's stream before ``ssh`` does; nearly always nothing has to."""
    if not way:
        return lambda _: None
    from sm_ssh_entry.connect import trust

    return trust.watcher(names.parse(login.host).alias, way, login.tell)


def _load_session() -> None:
    import websockets.asyncio.client  # noqa: F401 - the imports are the purpose

    from sm_ssh_entry.connect import session  # noqa: F401


def _way(place: Place) -> str:
    """Return by what a container is known whose host key no tag tells; ``""``: a tag does."""
    node = place.node
    if place.native:
        return f"{node.node_id}@{int(node.registered.timestamp()) if node.registered else 0}"
    return node.node_id if place.hop or not node.tag(contract.TAG_HOST_KEY) else ""


def port_of(node: Node, default: int = DEFAULT_PORT) -> int:
    """Return the port of a node's sshd.

    Args:
        node: with its tags.
        default: where the tags do not say it.

    Raises:
        BadInput: what the tag says is not a port.
    """
    text = node.tag(contract.TAG_PORT) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise BadInput(f"the tag {contract.TAG_PORT} of {node.node_id} is not a port: {text!r}")
    return int(text)
