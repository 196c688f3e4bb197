"""Conversation: what stream messages mean to each role, and what may be said when.

It follows the table of ``states``, does both ends of the handshake, and turns messages into events. ``channel``
brings it messages in order and the time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.wire import bodies, handshake, payloads
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.bodies import Body, Role
from sm_ssh_entry.wire.errors import LocalProtocolError
from sm_ssh_entry.wire.events import Deadline, Event
from sm_ssh_entry.wire.input_gate import InputGate
from sm_ssh_entry.wire.link import Link
from sm_ssh_entry.wire.message import PayloadType
from sm_ssh_entry.wire.payloads import HandshakeComplete, HandshakeRequest, HandshakeResponse, SessionFlag
from sm_ssh_entry.wire.states import Signal, State, next_state

logger = logging.getLogger("sm_ssh_entry.wire")

#: How long a client holds its input after HandshakeComplete when no output comes, in seconds.
FIRST_OUTPUT_GRACE = 0.05

_HANDSHAKING = frozenset({State.OPENING, State.REQUESTED, State.ANSWERED})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a conversation is about; the arguments of ``DataChannel`` of the same names."""

    version: str
    session_type: str
    properties: dict[str, Any] | None
    customer_message: str
    hold_input_until_first_output: bool
    start_timeout: float | None
    handshake_timeout: float | None
    first_output_timeout: float | None


class Conversation:
    """The meaning of one session's messages, for one role."""

    def __init__(self, role: Role, link: Link, terms: Terms) -> None:
        self.role = role
        self.state = State.OPENING
        self.peer_version = ""
        #: What has to happen by when. ``channel`` looks at the time.
        self.deadlines: dict[Deadline, float] = {}
        #: Where a client's input waits. An agent's data is refused instead, until its handshake is over.
        self.gate = InputGate()
        self._client = role is Role.CLIENT
        if not self._client:
            self.gate.open()
        self._link, self._terms = link, terms
        self._needs_handshake = not self._client and handshake.needs_handshake(terms.session_type)
        self._began = 0.0

    def begin(self, now: float) -> None:
        """The first websocket stands."""
        if self._client and self.state is State.OPENING:
            self._arm(Deadline.START, self._terms.start_timeout, now)

    def request_handshake(self, now: float) -> None:
        """Agent: say what the session is."""
        self.move_or_raise(Signal.REQUEST)
        self._began = now
        self._arm(Deadline.HANDSHAKE, self._terms.handshake_timeout, now)
        action = payloads.SessionTypeAction(self._terms.session_type, self._terms.properties)
        request = HandshakeRequest(self._terms.version, (action,))
        self._link.send(PayloadType.HANDSHAKE_REQUEST, request.encode(), now)

    def skip_handshake(self, now: float) -> None:
        """Treat the session as a shell."""
        self.move_or_raise(Signal.DATA)
        self.deadlines.pop(Deadline.START, None)
        self.open_gate(now)

    def send(self, kind: PayloadType, payload: bytes | memoryview, now: float) -> None:
        """Send data of any kind, or keep it until it may be sent."""
        if self.gate.is_open:
            if self._needs_handshake and self.state in _HANDSHAKING:
                raise LocalProtocolError(f"an agent sends no data while {self.state.value}")
            self.move_or_raise(Signal.DATA)
            self._link.send(kind, payload, now)
        elif self.state is State.CLOSED:
            raise LocalProtocolError("the channel is closed")
        else:
            self.gate.keep(kind, payload)

    def send_terminate(self, now: float) -> None:
        """Send flag 2. It overtakes what the gate keeps, which is dropped."""
        self.move_or_raise(Signal.TERMINATE)
        self.gate.open()
        self._link.send(PayloadType.FLAG, payloads.Flag(SessionFlag.TERMINATE_SESSION).encode(), now)

    def open_gate(self, now: float) -> None:
        """Send what a client has kept back, and from now on everything at once."""
        for kind, payload in self.gate.open():
            self._link.send(kind, payload, now)

    def is_ready(self, payload_type: int) -> bool:
        """Whether a message in its turn may be acted upon, or has to wait without a receipt."""
        if payload_type not in bodies.DATA:
            return True
        if payload_type in bodies.STREAM_BYTES and not self._link.accepting:
            return False
        if self.state is State.OPENING:
            return not self._needs_handshake
        return self.state not in _HANDSHAKING

    def act(self, payload_type: int, body: Body, now: float) -> list[Event]:
        """Take a message in its turn."""
        if self.state is State.CLOSED:
            return []
        if payload_type not in bodies.RECEIVED[self.role]:
            return [ev.MessageIgnored(f"payload type {payload_type}")]
        if payload_type in bodies.DATA:
            return self._data_rcvd(payload_type, body, now)
        if isinstance(body, payloads.Flag):
            if body.value == SessionFlag.TERMINATE_SESSION:
                self.move(Signal.TERMINATE)
            return [ev.FlagReceived(body.value)]
        return self._handshake_rcvd(body, now)

    def move(self, signal: Signal) -> bool:
        """Follow the table; returns whether the signal was allowed."""
        state = next_state(self.state, signal)
        if state is None:
            return False
        if state is not self.state and self._link.debug:
            logger.debug("= %s %s -> %s", self.role.value, self.state.value, state.value)
        self.state = state
        return True

    def move_or_raise(self, signal: Signal) -> None:
        """Follow the table for something that this side wants to send. Raises LocalProtocolError."""
        if not self.move(signal):
            raise LocalProtocolError(f"no {signal.value} while {self.state.value}")

    def _handshake_rcvd(self, body: Body, now: float) -> list[Event]:
        if isinstance(body, HandshakeRequest) and self.move(Signal.REQUEST):
            return self._request_rcvd(body, now)
        if isinstance(body, HandshakeResponse) and self.move(Signal.RESPONSE):
            return self._response_rcvd(body, now)
        if isinstance(body, HandshakeComplete) and self.move(Signal.COMPLETE):
            return self._complete_rcvd(body, now)
        return [ev.MessageIgnored(f"{type(body).__name__} while {self.state.value}")]

    def _data_rcvd(self, payload_type: int, body: Body, now: float) -> list[Event]:
        found: list[Event] = []
        if self._client:
            if self.state is State.OPENING:
                found.append(ev.HandshakeSkipped())
            self.deadlines.pop(Deadline.START, None)
            self.deadlines.pop(Deadline.FIRST_OUTPUT, None)
        self.move(Signal.DATA)
        if not self.gate.is_open:
            self.open_gate(now)
        if isinstance(body, payloads.Size):
            found.append(ev.SizeReceived(body.cols, body.rows))
        elif isinstance(body, payloads.ExitCode):
            found.append(ev.ExitCodeReceived(body.value))
        elif isinstance(body, bytes) and body:
            found.append(ev.DataReceived(body, PayloadType(payload_type)))
        return found

    def _request_rcvd(self, request: HandshakeRequest, now: float) -> list[Event]:
        self.deadlines.pop(Deadline.START, None)
        self._arm(Deadline.HANDSHAKE, self._terms.handshake_timeout, now)
        self.peer_version = request.agent_version
        response = handshake.answer(request, self._terms.version)
        self.move(Signal.RESPONSE)
        self._link.send(PayloadType.HANDSHAKE_RESPONSE, response.encode(), now)
        found: list[Event] = []
        session = handshake.session_of(request)
        if session is not None:
            found.append(ev.HandshakeStarted(session.session_type, session.properties, request.agent_version))
        refusal = handshake.refusal(response)
        if refusal is not None:
            found.append(ev.HandshakeFailed(refusal))
        return found

    def _response_rcvd(self, response: HandshakeResponse, now: float) -> list[Event]:
        self.deadlines.pop(Deadline.HANDSHAKE, None)
        self.peer_version = response.client_version
        refusal = handshake.refusal(response)
        if refusal is not None:
            self.move(Signal.CLOSE)
            return [ev.HandshakeFailed(refusal)]
        self.move(Signal.COMPLETE)
        complete = HandshakeComplete(int((now - self._began) * 1e9), self._terms.customer_message)
        self._link.send(PayloadType.HANDSHAKE_COMPLETE, complete.encode(), now)
        return [ev.HandshakeCompleted(self._terms.customer_message, self.peer_version)]

    def _complete_rcvd(self, complete: HandshakeComplete, now: float) -> list[Event]:
        self.deadlines.pop(Deadline.HANDSHAKE, None)
        self._arm(Deadline.FIRST_OUTPUT, self._terms.first_output_timeout, now)
        if self._terms.hold_input_until_first_output:
            self.gate.open_at = now + FIRST_OUTPUT_GRACE
        else:
            self.open_gate(now)
        return [ev.HandshakeCompleted(complete.customer_message, self.peer_version)]

    def _arm(self, deadline: Deadline, timeout: float | None, now: float) -> None:
        if timeout is not None:
            self.deadlines[deadline] = now + timeout
