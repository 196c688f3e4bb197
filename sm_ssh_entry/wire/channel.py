"""DataChannel: one end of a Session Manager session, client or agent, as a pure object.

Frames and the time go in; events and frames come out. The order of a received stream message: it is parsed (malformed:
RemoteProtocolError, nothing has changed, and no receipt makes the peer send it again), put in order, acknowledged,
acted upon. A message that is well-formed and has no place here is acknowledged and dropped, as the official agent
does, and said in an event. Every number the peer has had a receipt for is acknowledged again when it comes again, in
both roles.

``now`` is monotonic seconds throughout. All buffers are bounded: see ``stream`` and ``input_gate``.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from sm_ssh_entry.wire import bodies, payloads
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.bodies import Body, Role
from sm_ssh_entry.wire.conversation import Conversation, Terms
from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError
from sm_ssh_entry.wire.events import Deadline, Event
from sm_ssh_entry.wire.link import Link
from sm_ssh_entry.wire.message import MAX_PAYLOAD_BYTES, AgentMessage, Flags, MessageType, PayloadType, decode
from sm_ssh_entry.wire.payloads import SessionFlag, SessionStatus
from sm_ssh_entry.wire.states import Signal, State

__all__ = ["DataChannel", "Role"]

logger = logging.getLogger("sm_ssh_entry.wire")

#: The official agent's patience for a step of the handshake, in seconds.
HANDSHAKE_TIMEOUT = 15.0
#: The official plugin's patience without a receipt, in seconds: 3,000 resends, 100 ms apart.
ACKNOWLEDGEMENT_TIMEOUT = 300.0


class DataChannel:
    """One end of a data channel.

    Arguments:
        role: which end.
        new_id: makes the id of each message, e.g. ``uuid.uuid4``.
        epoch: wall-clock seconds at ``now`` = 0; messages carry wall-clock time.
        session_id: for ``agent_session_state``. Agent only.
        session_type, properties: what the session is, for the handshake. Agent only.
        client_version, agent_version: our own, as told in the handshake; see ``versions`` for what they cause.
        customer_message: what the user is told after the handshake. Agent only.
        max_payload: bytes of stream in one message. Official peers send 1,024, which is all that is known to pass the
            real service; the official agent takes 64 KiB.
        window: messages that may be without a receipt before ``writable`` turns false.
        hold_input_until_first_output: client: after the handshake, keep input back until the first output byte, or for
            FIRST_OUTPUT_GRACE. The official agent sends HandshakeComplete before it is ready, acknowledges what
            arrives in between and throws it away; servers that speak first, as SSH's do, show when it is ready.
        start_timeout, handshake_timeout, first_output_timeout, give_up_after: seconds until the ``Deadline`` START,
            HANDSHAKE, FIRST_OUTPUT, ACKNOWLEDGEMENT passes; None for never. Only the second is for agents, too: the
            official agent resends for ever.
    """

    def __init__(
        self,
        role: Role,
        *,
        new_id: Callable[[], uuid.UUID],
        epoch: float,
        session_id: str = "",
        session_type: str = "",
        properties: dict[str, Any] | None = None,
        client_version: str = "1.2.700.0",
        agent_version: str = "3.3.0.0",
        customer_message: str = "",
        max_payload: int = 1024,
        window: int = 64,
        hold_input_until_first_output: bool = False,
        start_timeout: float | None = 30.0,
        handshake_timeout: float | None = HANDSHAKE_TIMEOUT,
        first_output_timeout: float | None = None,
        give_up_after: float | None = ACKNOWLEDGEMENT_TIMEOUT,
    ) -> None:
        if not 0 < max_payload <= MAX_PAYLOAD_BYTES:
            raise LocalProtocolError(f"a message carries 1 to {MAX_PAYLOAD_BYTES} bytes, not {max_payload}")
        self.role = role
        self._client = role is Role.CLIENT
        self._session_id, self._max_payload, self._give_up_after = (
            session_id,
            max_payload,
            give_up_after if self._client else None,
        )
        input_type, output_type = MessageType.INPUT_STREAM_DATA, MessageType.OUTPUT_STREAM_DATA
        self._incoming, self._outgoing = (output_type, input_type) if self._client else (input_type, output_type)
        first_flags = Flags(0) if self._client else Flags.SYN
        self._link = Link(outgoing=self._outgoing, first_flags=first_flags, window=window, new_id=new_id, epoch=epoch)
        terms = Terms(
            client_version if self._client else agent_version,
            session_type,
            properties,
            customer_message,
            hold_input_until_first_output,
            start_timeout,
            handshake_timeout,
            first_output_timeout,
        )
        self._conversation = Conversation(role, self._link, terms)
        self._connected = self._gave_up = False

    # What the shell asks.

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._conversation.state

    @property
    def peer_version(self) -> str:
        """What the peer said in the handshake, or an empty string."""
        return self._conversation.peer_version

    @property
    def accepting(self) -> bool:
        """While false, stream bytes are not given out and get no receipt, so that the peer's window fills up.

        After setting it true again, call :meth:`tick`: it gives out what has been kept.
        """
        return self._link.accepting

    @accepting.setter
    def accepting(self, value: bool) -> None:
        self._link.accepting = value

    @property
    def writable(self) -> bool:
        """Whether to offer more data: it would be sent now, and fewer than ``window`` messages await their receipts."""
        is_open = self._conversation.gate.is_open and self.state is not State.CLOSED
        return is_open and self._link.sender.writable

    @property
    def unacknowledged(self) -> int:
        """Number of stream messages that the peer has not acknowledged yet."""
        return len(self._link.sender)

    @property
    def receipts(self) -> int:
        """Number of stream messages that the peer has acknowledged so far."""
        return self._link.sender.next_sequence - len(self._link.sender)

    @property
    def stalled_since(self) -> float | None:
        """Client: since when a receipt could have come and has not; None when none is waited for."""
        return self._link.stalled_since() if self._client else None

    @property
    def max_payload(self) -> int:
        """Most bytes of the stream in one message that this end sends."""
        return self._max_payload

    @property
    def pending_frames(self) -> int:
        """Number of frames that :meth:`frames_to_send` would give."""
        return self._link.pending_frames

    @property
    def held_bytes(self) -> int:
        """Memory taken by messages that came out of order or while not ``accepting``; at most stream.MAX_HELD_BYTES."""
        return self._link.receiver.held_bytes

    def frames_to_send(self) -> list[bytes]:
        """Take the frames that are to be sent, in order. Call it after every other call."""
        return self._link.frames_to_send()

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick`, or None. It may have moved after every other call; 0.0 means at once."""
        if self.state is State.CLOSED:
            return None
        if self._link.can_drain(self._conversation.is_ready):
            return 0.0
        due = list(self._conversation.deadlines.values())
        resend, stalled = self._link.next_deadline(), self._link.stalled_since()
        if resend is not None:
            due.append(resend)
        if self._conversation.gate.open_at is not None:
            due.append(self._conversation.gate.open_at)
        if stalled is not None and self._give_up_after is not None and not self._gave_up:
            due.append(stalled + self._give_up_after)
        return min(due, default=None)

    # What the shell tells.

    def connected(self, now: float) -> None:
        """A websocket has been opened, the first or another. All that has no receipt goes out again over another."""
        if self._connected:
            self._link.reconnected(now)
            return
        self._connected = True
        self._conversation.begin(now)

    def tick(self, now: float) -> list[Event]:
        """Do what time demands: resend, release held input, let deadlines pass. Cheap when called too early."""
        if self.state is State.CLOSED:
            return []
        found = self._act_on(self._link.drain(self._conversation.is_ready, now), now)
        if self._conversation.gate.open_at is not None and now >= self._conversation.gate.open_at:
            self._conversation.open_gate(now)
        self._link.tick(now)
        stalled = self._link.stalled_since()
        if stalled is not None and self._give_up_after is not None and not self._gave_up:
            self._gave_up = now >= stalled + self._give_up_after
            if self._gave_up:
                found.append(ev.DeadlinePassed(Deadline.ACKNOWLEDGEMENT))
        for deadline in [deadline for deadline, due in self._conversation.deadlines.items() if now >= due]:
            del self._conversation.deadlines[deadline]
            found.append(ev.DeadlinePassed(deadline))
            if deadline is Deadline.HANDSHAKE and not self._client:
                self._conversation.move(Signal.CLOSE)
        return found

    def receive(self, frame: bytes, now: float) -> list[Event]:
        """Take one frame.

        Raises RemoteProtocolError, having changed nothing, if it is malformed or not for this role.
        """
        message = decode(frame)
        if self._link.debug:
            logger.debug("< %s", message)
        if self.state is State.CLOSED:
            return []
        kind = message.message_type
        if kind == self._incoming:
            body = bodies.parse(message.payload_type, message.payload)
            found = self._resume(now)
            return found + self._act_on(self._link.receive(message, body, self._conversation.is_ready, now), now)
        if kind == MessageType.ACKNOWLEDGE:
            self._link.receive_receipt(message.payload, now)
            return self._resume(now)
        if kind == self._outgoing:
            raise RemoteProtocolError(f"{kind} is what this side sends")
        return self._receive_other(message, now)

    def send_data(self, data: bytes | memoryview, now: float, *, stderr: bool = False) -> None:
        """Send bytes of the stream, cut into messages. The shell waits for ``writable`` first; nothing is dropped if
        not.

        A client's early data waits for the handshake. Raises LocalProtocolError when the channel is closed, when an
        agent's handshake is not finished, and when a buffer is full because ``writable`` was not heeded.
        """
        if stderr:
            self._require(Role.AGENT, "standard error")
        kind = PayloadType.STDERR if stderr else PayloadType.OUTPUT
        view = memoryview(data)
        for start in range(0, len(view), self._max_payload):
            self._conversation.send(kind, view[start : start + self._max_payload], now)

    def send_size(self, cols: int, rows: int, now: float) -> None:
        """Client: tell the terminal's size. Waits for the handshake as data does."""
        self._require(Role.CLIENT, "a terminal size")
        self._conversation.send(PayloadType.SIZE, payloads.Size(cols, rows).encode(), now)

    def send_flag(self, value: int, now: float) -> None:
        """Send a flag. TERMINATE_SESSION overtakes held input, which is dropped; the others queue behind it."""
        if value == SessionFlag.TERMINATE_SESSION:
            self._conversation.send_terminate(now)
        else:
            self._conversation.send(PayloadType.FLAG, payloads.Flag(value).encode(), now)

    def send_exit_code(self, code: int, now: float) -> None:
        """Agent: tell the exit status of a non-interactive command with separate streams."""
        self._require(Role.AGENT, "an exit code")
        self._conversation.send(PayloadType.EXIT_CODE, payloads.ExitCode(code).encode(), now)

    def send_session_state(self, state: str, now: float) -> None:
        """Agent: tell the service ``SessionStatus.CONNECTED`` once open, TERMINATING before closing."""
        self._require(Role.AGENT, "a session state")
        if state == SessionStatus.TERMINATING and self.state is not State.CLOSED:
            self._conversation.move(Signal.TERMINATE)
        payload = payloads.SessionState(state, self._session_id).encode()
        self._link.send_message(MessageType.AGENT_SESSION_STATE, payload, now)

    def terminate(self, now: float) -> None:
        """End the session from this side: a client by flag 2, an agent by telling the service."""
        if self._client:
            self.send_flag(SessionFlag.TERMINATE_SESSION, now)
        else:
            self.send_session_state(SessionStatus.TERMINATING, now)

    def start_handshake(self, now: float) -> None:
        """Agent: say what the session is. HandshakeCompleted, HandshakeFailed or a passed deadline follows."""
        self._require(Role.AGENT, "a handshake request")
        self._conversation.request_handshake(now)

    def start_without_handshake(self, now: float) -> None:
        """Treat the session as a shell at once. A client need not: the first output says so."""
        self._conversation.skip_handshake(now)

    def _receive_other(self, message: AgentMessage, now: float) -> list[Event]:
        kind = message.message_type
        if kind == MessageType.CHANNEL_CLOSED:
            closed = payloads.ChannelClosed.decode(message.payload)
            self._conversation.move(Signal.CLOSE)
            return [ev.ChannelClosed(closed.output)]
        if kind == MessageType.START_PUBLICATION:
            return self._resume(now)
        if kind == MessageType.PAUSE_PUBLICATION:
            # The official plugin does not heed it; to pause twice is to pause once.
            if self._client or self._link.paused:
                return []
            self._link.paused = True
            return [ev.Paused()]
        if kind == MessageType.AGENT_SESSION_STATE:
            return [ev.PeerState(payloads.SessionState.decode(message.payload).state)]
        return [ev.MessageIgnored(f"message type {kind}")]

    def _act_on(self, messages: Iterator[tuple[int, Body]], now: float) -> list[Event]:
        found: list[Event] = []
        for payload_type, body in messages:
            found += self._conversation.act(payload_type, body, now)
        return found

    def _resume(self, now: float) -> list[Event]:
        return [ev.Resumed()] if self._link.resume(now) else []

    def _require(self, role: Role, what: str) -> None:
        if self.role is not role:
            raise LocalProtocolError(f"{what} is sent by the {role.value} only")
