"""What a data channel tells its caller. Every event is a frozen value; ``Event`` is the union of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sm_ssh_entry.wire.message import PayloadType


class Deadline(Enum):
    """What did not happen in time."""

    #: Client: neither a HandshakeRequest nor a first byte came after the channel was opened.
    START = "the session did not start"
    #: Both: the handshake was begun and not finished. The agent's channel is then closed, as the official one's.
    HANDSHAKE = "the handshake was not finished"
    #: Client: no output after the handshake. A port where nothing listens looks like this.
    FIRST_OUTPUT = "no output came"
    #: Client: the peer has not acknowledged anything for long, although the connection stands.
    ACKNOWLEDGEMENT = "the peer does not acknowledge"


@dataclass(frozen=True, slots=True)
class HandshakeStarted:
    """Client: the agent says what the session is. The answer is already on its way."""

    session_type: str
    properties: dict[str, Any] | None
    agent_version: str


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """Both: data may flow. ``message`` is for the user if not empty; ``peer_version`` as in the handshake."""

    message: str
    peer_version: str


@dataclass(frozen=True, slots=True)
class HandshakeSkipped:
    """Client: data came without a handshake, so this is a shell or an interactive command."""


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """Client: something the agent demands is not supported here, and it will end the session.
    Agent: the client refused an action, and the channel is closed."""

    reason: str


@dataclass(frozen=True, slots=True)
class DataReceived:
    """Bytes of the stream, in order, each once. ``kind`` is OUTPUT or STDERR."""

    data: bytes
    kind: PayloadType


@dataclass(frozen=True, slots=True)
class SizeReceived:
    """Agent: the client's terminal has this size now."""

    cols: int
    rows: int


@dataclass(frozen=True, slots=True)
class FlagReceived:
    """A flag: usually a ``SessionFlag``."""

    value: int


@dataclass(frozen=True, slots=True)
class ExitCodeReceived:
    """Client: the remote command ended with this status."""

    code: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Agent: the service asked not to send for now. Data sent meanwhile is kept."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Agent: sending goes on, by order or because the peer was heard from."""


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The service has ended the session; nothing is sent or received any more. ``output`` is for the user."""

    output: str


@dataclass(frozen=True, slots=True)
class PeerState:
    """An ``agent_session_state`` arrived. The service keeps these to itself, so a client normally sees none."""

    state: str


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """Something did not happen in time. Said once for each deadline."""

    deadline: Deadline


@dataclass(frozen=True, slots=True)
class MessageIgnored:
    """A well-formed message that has no place here was taken off the stream and dropped."""

    reason: str


Event = (
    HandshakeStarted
    | HandshakeCompleted
    | HandshakeSkipped
    | HandshakeFailed
    | DataReceived
    | SizeReceived
    | FlagReceived
    | ExitCodeReceived
    | Paused
    | Resumed
    | ChannelClosed
    | PeerState
    | DeadlinePassed
    | MessageIgnored
)
