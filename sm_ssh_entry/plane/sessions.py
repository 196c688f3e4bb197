"""Session Manager's table of sessions: what the API says of each. Plain state; sockets are elsewhere."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sm_ssh_entry.plane.documents import Document

if TYPE_CHECKING:
    from sm_ssh_entry.plane.sockets import Socket

# How many ended sessions DescribeSessions remembers. AWS keeps them for 30 days.
HISTORY = 1000
# The public model allows 96 characters; the rest is the dash and 17 hexadecimal digits.
_MAX_USER = 78


class Status(str, Enum):
    """AWS's words for where a session stands."""

    CONNECTING = "Connecting"
    CONNECTED = "Connected"
    DISCONNECTED = "Disconnected"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"
    FAILED = "Failed"

    @property
    def over(self) -> bool:
        """Whether nothing can change it any more."""
        return self in (Status.TERMINATED, Status.FAILED)


class Link(Protocol):
    """The live half of a session: its two data channels."""

    async def serve(self, role: str, socket: Socket) -> None:
        """Be the service on one end of it, ``agent`` or ``client``, until that closes."""

    async def tell_agent(self) -> bool:
        """Tell the agent to start it, unless it has begun to. False: the node has no control channel."""

    def agent_heard(self) -> None:
        """Note that the agent has begun to start it."""

    def end(self, output: str = "") -> None:
        """Begin to close both channels; the client sees ``output``."""

    def completed(self, output: str, *, failed: bool) -> None:
        """Take in that the agent is done with it."""

    def abandon(self, details: str) -> None:
        """Let it be over now, without a word to anybody."""


@dataclass
class Session:
    """One session. Times are epoch seconds.

    Args:
        session_id: ``<user>-<17 hexadecimal digits>``.
        node_id: the managed node.
        region: its region.
        document: the session document.
        arguments: its parameters, checked and completed.
        owner: ARN of who started it.
        started: when.
        reason: what the caller gave as reason.
        status: where it stands.
        ended: when it was over; None: it is not.
        details: why it ended, for people.
        link: its data channels, while it is not over.
        serial: its place in the order of starts.
        target: what its caller called the node, where SageMaker started the agent; else ``""``.
    """

    session_id: str
    node_id: str
    region: str
    document: Document
    arguments: dict[str, str]
    owner: str
    started: float
    reason: str = ""
    status: Status = Status.CONNECTING
    ended: float | None = None
    details: str = ""
    link: Link | None = field(default=None, repr=False)
    serial: int = 0
    target: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status.over

    def finish(self, now: float, details: str = "", *, failed: bool = False) -> None:
        """Note its end. The first end counts."""
        if not self.over:
            self.status = Status.FAILED if failed else Status.TERMINATED
            self.ended = now
            self.details = details


def new_session_id(owner: str) -> str:
    """Make a session's id from its owner's ARN: the user or role-session name, then 17 random hexadecimal digits."""
    user = re.sub(r"[^A-Za-z0-9_.@-]", "-", owner.rpartition("/")[2]).strip("-.")[:_MAX_USER] or "user"
    return f"{user}-{secrets.token_hex(9)[:17]}"


def next_serial(sessions: dict[str, Session]) -> int:
    """Return the next place in the order of starts."""
    return next(reversed(sessions.values())).serial + 1 if sessions else 1


def forget_oldest(sessions: dict[str, Session], keep: int = HISTORY) -> None:
    """Drop the oldest ended sessions beyond ``keep``."""
    surplus = len(sessions) - keep
    if surplus <= 0:
        return
    for session_id in [one.session_id for one in sessions.values() if one.over][:surplus]:
        del sessions[session_id]


def active(sessions: Iterable[Session]) -> list[Session]:
    """Return the sessions that are not over."""
    return [session for session in sessions if not session.over]
