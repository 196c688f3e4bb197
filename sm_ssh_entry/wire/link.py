"""Link: stream messages to a peer and from it, numbered, acknowledged and in order. It knows no payload's meaning.

``channel`` gives it meaning; ``stream`` does the counting. One link lasts as long as the session, over any number of
websockets.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from sm_ssh_entry.wire.message import AgentMessage, Flags, MessageType, PayloadType, encode_frame, read_header
from sm_ssh_entry.wire.payloads import Acknowledge
from sm_ssh_entry.wire.stream import Receiver, Sender

logger = logging.getLogger("sm_ssh_entry.wire")

_RECEIPT_FLAGS = int(Flags.SYN | Flags.FIN)
_ACKNOWLEDGE = MessageType.ACKNOWLEDGE.value


class Link:
    """Both directions of a stream.

    Arguments: ``outgoing`` is the message type that this end sends; ``first_flags`` go on its first message;
    ``window`` in messages; ``new_id`` makes message ids; ``epoch`` is wall-clock seconds at ``now`` = 0.
    """

    def __init__(
        self,
        *,
        outgoing: MessageType,
        first_flags: Flags,
        window: int,
        new_id: Callable[[], uuid.UUID],
        epoch: float,
    ) -> None:
        self.sender = Sender(window)
        self.receiver: Receiver[tuple[AgentMessage, Any]] = Receiver()
        #: While true, stream messages are kept and not sent.
        self.paused = False
        #: While false, messages that come out of order are kept without a receipt.
        self.accepting = True
        self._outgoing = outgoing.value
        self._first_flags = int(first_flags)
        self._new_id, self._epoch = new_id, epoch
        self._out: list[bytes] = []
        self.debug = logger.isEnabledFor(logging.DEBUG)

    @property
    def pending_frames(self) -> int:
        """How many frames are to be sent now."""
        return len(self._out)

    def frames_to_send(self) -> list[bytes]:
        """Take what is to be sent now."""
        frames, self._out = self._out, []
        return frames

    def next_deadline(self) -> float | None:
        """When :meth:`tick` has something to resend, or None."""
        return None if self.paused else self.sender.next_deadline()

    def stalled_since(self) -> float | None:
        """Since when the peer could have acknowledged something and has not, or None."""
        return None if self.paused else self.sender.stalled_since

    def tick(self, now: float) -> None:
        """Resend what is overdue."""
        if not self.paused:
            self._out += self.sender.overdue(now)

    def send(self, payload_type: PayloadType, payload: bytes | memoryview, now: float) -> None:
        """Send the next stream message; while paused, keep it for later."""
        number = self.sender.next_sequence
        frame = encode_frame(
            self._outgoing,
            payload,
            self._new_id(),
            self._wall_ms(now),
            sequence_number=number,
            flags=0 if number else self._first_flags,
            payload_type=payload_type,
        )
        self.sender.store(frame, now, sent=not self.paused)
        if not self.paused:
            self._out.append(frame)
        if self.debug:
            logger.debug("> %s seq=%d type=%d bytes=%d", self._outgoing, number, payload_type, len(payload))

    def send_message(self, message_type: MessageType, payload: bytes, now: float) -> None:
        """Send a message that is not part of the stream: it has no number, and no receipt comes for it."""
        self._out.append(
            encode_frame(message_type.value, payload, self._new_id(), self._wall_ms(now), flags=_RECEIPT_FLAGS)
        )
        if self.debug:
            logger.debug("> %s bytes=%d", message_type.value, len(payload))

    def receive_receipt(self, payload: bytes, now: float) -> None:
        """Take an ``acknowledge``; resend what it shows to be lost. Raises RemoteProtocolError."""
        self.sender.acknowledge(Acknowledge.decode(payload).sequence_number, now)
        if not self.paused:
            self._out += self.sender.lost(now)

    def receive(
        self, message: AgentMessage, body: Any, is_ready: Callable[[int], bool], now: float
    ) -> Iterator[tuple[int, Any]]:
        """Take a stream message; yield the payload type and body of each whose turn has come, acknowledged.

        ``is_ready(payload_type)`` is asked before each. A message that is not ready in its turn is kept, without a
        receipt, until :meth:`drain` finds it ready.
        """
        number, receiver = message.sequence_number, self.receiver
        if number < receiver.expected:
            self._acknowledge(message, now)
        elif number == receiver.expected and is_ready(message.payload_type):
            receiver.advance()
            self._acknowledge(message, now)
            yield message.payload_type, body
            if len(receiver):
                yield from self.drain(is_ready, now)
        else:
            early = self.accepting and number > receiver.expected
            if receiver.hold(number, (message, body), len(message.payload), acknowledge=early):
                self._acknowledge(message, now)

    def can_drain(self, is_ready: Callable[[int], bool]) -> bool:
        """Whether :meth:`drain` would yield anything."""
        item = self.receiver.peek()
        return item is not None and is_ready(item[0].payload_type)

    def drain(self, is_ready: Callable[[int], bool], now: float) -> Iterator[tuple[int, Any]]:
        """Yield the held messages whose turn has come, as :meth:`receive` does."""
        while self.can_drain(is_ready):
            (message, body), acknowledged = self.receiver.take()
            if not acknowledged:
                self._acknowledge(message, now)
            yield message.payload_type, body

    def resume(self, now: float) -> bool:
        """End a pause: what was kept goes out. Returns whether there was one."""
        if not self.paused:
            return False
        self.paused = False
        self._out += self.sender.unsent(now)
        return True

    def reconnected(self, now: float) -> None:
        """A new websocket stands: after receipts still to be sent, all messages without a receipt go out again."""
        self.paused = False
        self._out = [frame for frame in self._out if read_header(frame).message_type != self._outgoing]
        self._out += self.sender.everything(now)

    def _acknowledge(self, message: AgentMessage, now: float) -> None:
        receipt = Acknowledge(message.message_type, str(message.message_id), message.sequence_number)
        self._out.append(
            encode_frame(_ACKNOWLEDGE, receipt.encode(), self._new_id(), self._wall_ms(now), flags=_RECEIPT_FLAGS)
        )
        if self.debug:
            logger.debug("> acknowledge seq=%d", message.sequence_number)

    def _wall_ms(self, now: float) -> int:
        return max(1, int((self._epoch + now) * 1000))
