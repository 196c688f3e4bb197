"""Relay: the service's part in a data channel, between one agent and one client, as a pure object.

Frames of the stream and their receipts pass untouched: numbering and resending is the peers' own affair. So a frame
may be dropped here at any time, and is when a buffer is full; whoever sent it keeps it until its receipt. Each side
may come, go and come again. What the relay adds: it keeps ``agent_session_state`` to itself, tells the agent to pause
while no client is there, and says ``channel_closed``.

A client may send stream frames and receipts, nothing else: it must not be able to speak to the agent as the service.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from enum import Enum

from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import Header, MessageType, PayloadType, decode, encode_frame, read_header
from sm_ssh_entry.wire.payloads import ChannelClosed, Flag, SessionFlag, SessionState

logger = logging.getLogger("sm_ssh_entry.wire")

#: Most frames, and bytes, that wait for a peer who is not there.
MAX_WAITING_FRAMES = 1024
MAX_WAITING_BYTES = 4 << 20


class Side(Enum):
    """Whom a frame is for."""

    AGENT = "agent"
    CLIENT = "client"


#: A frame and whom to send it to, in order.
Routed = tuple[Side, bytes]

_TERMINATE = Flag(SessionFlag.TERMINATE_SESSION).encode()
_STREAM = {Side.AGENT: MessageType.OUTPUT_STREAM_DATA.value, Side.CLIENT: MessageType.INPUT_STREAM_DATA.value}


class _Waiting:
    """Frames for a peer who is not there. One that is sent again while it waits is kept once."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, int], bytes] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def keep(self, header: Header, frame: bytes) -> None:
        key = (header.message_type, header.sequence_number)
        if header.message_type == MessageType.ACKNOWLEDGE:
            key = (header.message_type, -len(self._frames) - 1)  # receipts carry no number of their own
        if key in self._frames or len(self._frames) >= MAX_WAITING_FRAMES:
            return
        if self._bytes + len(frame) <= MAX_WAITING_BYTES:
            self._frames[key] = frame
            self._bytes += len(frame)

    def holds(self, message_type: str) -> bool:
        return any(kind == message_type for kind, _ in self._frames)

    def take(self) -> list[bytes]:
        frames = list(self._frames.values())
        self._frames.clear()
        self._bytes = 0
        return frames


class Relay:
    """One session's relay.

    Arguments: ``new_id`` makes message ids; ``wall_ms`` returns epoch milliseconds (both for the frames that the
    service itself sends); ``destination_id`` is the node's id, for ``channel_closed``. Every method returns the
    frames to send.
    """

    def __init__(
        self,
        session_id: str,
        *,
        new_id: Callable[[], uuid.UUID],
        wall_ms: Callable[[], int],
        destination_id: str = "",
    ) -> None:
        self.session_id = session_id
        #: The last state that the agent told: a ``SessionStatus``, or an empty string before the first.
        self.agent_state = ""
        self.terminated = False
        #: The client has said that it wants no more of the session (flag 2). It does not come back for what waits.
        self.client_finished = False
        self._new_id, self._wall_ms, self._destination_id = new_id, wall_ms, destination_id
        self._present = {Side.AGENT: False, Side.CLIENT: False}
        self._waiting = {Side.AGENT: _Waiting(), Side.CLIENT: _Waiting()}
        self._paused = False

    @property
    def waiting_frames(self) -> int:
        """Frames kept for a peer who is not there."""
        return sum(len(waiting) for waiting in self._waiting.values())

    @property
    def output_waits(self) -> bool:
        """Whether output is kept for a client who is not there and has not said that it wants no more."""
        return not self.client_finished and self._waiting[Side.CLIENT].holds(_STREAM[Side.AGENT])

    def agent_joined(self) -> list[Routed]:
        """The agent has opened its websocket, for the first time or again."""
        self._paused = False  # A new connection of the agent's starts unpaused.
        return self._joined(Side.AGENT)

    def client_joined(self) -> list[Routed]:
        """The client has opened its websocket, for the first time or again."""
        routed = self._joined(Side.CLIENT)
        if self._paused and self._present[Side.AGENT] and not self.terminated:
            self._paused = False
            routed.append((Side.AGENT, self._message(MessageType.START_PUBLICATION)))
        return routed

    def agent_left(self) -> list[Routed]:
        """The agent's websocket is gone. Whether that is the end is the caller's decision; see :meth:`terminate`."""
        self._present[Side.AGENT] = False
        return []

    def client_left(self) -> list[Routed]:
        """The client's websocket is gone: the agent is to wait."""
        self._present[Side.CLIENT] = False
        return self._pause()

    def from_agent(self, frame: bytes) -> list[Routed]:
        """Take a frame of the agent's. Raises RemoteProtocolError; the client is not affected."""
        header = read_header(frame)
        if header.message_type == MessageType.AGENT_SESSION_STATE:
            self.agent_state = SessionState.decode(decode(frame).payload).state
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("= agent %s", self.agent_state)
            return []
        routed = self._pass(Side.AGENT, Side.CLIENT, header, frame)
        if not self._present[Side.CLIENT] and header.message_type == _STREAM[Side.AGENT]:
            # The first frame is kept for the client; nothing is gained by having it resent meanwhile.
            return self._pause()
        return routed

    def from_client(self, frame: bytes) -> list[Routed]:
        """Take a frame of the client's. Raises RemoteProtocolError; the agent is not affected."""
        header = read_header(frame)
        routed = self._pass(Side.CLIENT, Side.AGENT, header, frame)
        if header.payload_type == PayloadType.FLAG and header.message_type == _STREAM[Side.CLIENT]:
            self.client_finished |= decode(frame).payload == _TERMINATE
        if routed:
            self._paused = False  # Any stream message or receipt ends the agent's pause.
        return routed

    def terminate(self, output: str = "") -> list[Routed]:
        """End the session: ``channel_closed`` to both. ``output`` is for the user. Later frames go nowhere."""
        if self.terminated:
            return []
        self.terminated = True
        for waiting in self._waiting.values():
            waiting.take()
        return [(side, self._closed(output)) for side in (Side.AGENT, Side.CLIENT) if self._present[side]]

    def _joined(self, side: Side) -> list[Routed]:
        self._present[side] = True
        if self.terminated:
            return [(side, self._closed(""))]
        return [(side, frame) for frame in self._waiting[side].take()]

    def _pause(self) -> list[Routed]:
        if self._paused or not self._present[Side.AGENT] or self.terminated:
            return []
        self._paused = True
        return [(Side.AGENT, self._message(MessageType.PAUSE_PUBLICATION))]

    def _pass(self, source: Side, target: Side, header: Header, frame: bytes) -> list[Routed]:
        if header.message_type not in {_STREAM[source], MessageType.ACKNOWLEDGE.value}:
            raise RemoteProtocolError(f"a data channel takes no {header.message_type} from its {source.value}")
        if self.terminated:
            return []
        if self._present[target]:
            return [(target, frame)]
        self._waiting[target].keep(header, frame)
        return []

    def _closed(self, output: str) -> bytes:
        closed = ChannelClosed(
            message_id=str(self._new_id()),
            session_id=self.session_id,
            output=output,
            destination_id=self._destination_id,
            created_date=str(self._wall_ms()),
        )
        return encode_frame(MessageType.CHANNEL_CLOSED.value, closed.encode(), self._new_id(), self._wall_ms())

    def _message(self, kind: MessageType) -> bytes:
        # Nobody reads this payload, but one must be there.
        return encode_frame(kind.value, b"{}", self._new_id(), self._wall_ms())
