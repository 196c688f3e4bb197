"""Sequence numbers, receipts and resending: the two halves of one direction of a stream.

Each message is acknowledged by itself. The official sender wakes every 100 ms and resends its oldest message alone.
This one keeps that timer and its constants, and also resends what the receipts show to be lost: a peer holds what
comes out of order, so three receipts for messages sent later mean that an earlier one, or its receipt, is gone.

Peers differ in what they do with a number they have had already: the official agent acknowledges it again, the official
plugin says nothing. So a message may stay without a receipt for ever though it arrived. It is then resent ever more
seldom, and does not count against the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from sm_ssh_entry.wire.errors import LocalProtocolError

#: Round-trip time before the first sample, and the timeout that goes with it, in seconds; constants of both official
#: peers.
START_RTT = 0.1
START_RTO = 0.2
#: How often the timer may resend, the longest timeout, and the least distance between timeout and round trip.
WAKE = 0.1
MAX_RTO = 1.0
CLOCK_GRANULARITY = 0.01
#: Most messages that one wake of the timer resends, provided receipts are coming in at all; otherwise the oldest alone.
BURST = 16
#: Receipts for later messages that prove a message lost.
LOSS_EVIDENCE = 3
#: Resends, after which further evidence takes a message out of the window, and only the timer resends it.
MAX_QUICK_RESENDS = 3
#: Resends by the timer after which it doubles its distance each time, and where that ends, in seconds.
PATIENCE = 4
MAX_RESEND_INTERVAL = 10.0
#: Most messages that wait for their receipts; as the official plugin.
MAX_UNACKNOWLEDGED = 10_000
#: Most messages, and bytes with overhead, that wait for an earlier one to arrive.
MAX_HELD_MESSAGES = 10_000
MAX_HELD_BYTES = 16 << 20
_HELD_OVERHEAD = 256

T = TypeVar("T")


@dataclass(slots=True)
class _Stored:
    frame: bytes
    first_sent: float
    last_sent: float
    #: Number of the latest transmission among all of this sender's; -1 while it has not been sent at all.
    transmission: int
    #: Whether it takes a place in the window.
    counted: bool = True
    #: Whether a receipt could be for any of several transmissions.
    ambiguous: bool = False
    resends: int = 0


class Sender:
    """Numbers outgoing stream messages and keeps each until its receipt. ``window`` is counted in messages.

    A message is stored before it is sent: on loopback the receipt may come back before the send returns.
    """

    def __init__(self, window: int) -> None:
        if not 0 < window < MAX_UNACKNOWLEDGED:
            raise LocalProtocolError(f"a window has 1 to {MAX_UNACKNOWLEDGED - 1} messages, not {window}")
        self.window = window
        self.next_sequence = 0
        self.rtt = START_RTT
        self.rtt_variation = 0.0
        self.rto = START_RTO
        self._stored: dict[int, _Stored] = {}
        self._counted = 0
        self._transmissions = 0
        self._evidence: tuple[int, ...] = (-1,) * LOSS_EVIDENCE
        self._due: float | None = None
        self._heard_since_wake = False
        self._progress = 0.0

    def __len__(self) -> int:
        """Number of messages without a receipt."""
        return len(self._stored)

    @property
    def writable(self) -> bool:
        """Whether the window has room for another message."""
        return self._counted < self.window and len(self._stored) < MAX_UNACKNOWLEDGED - self.window

    @property
    def stalled_since(self) -> float | None:
        """When the last receipt came or could have been expected, in seconds; None when nothing is waited for."""
        if not self._stored:
            return None
        return max(self._progress, next(iter(self._stored.values())).first_sent)

    def store(self, frame: bytes, now: float, *, sent: bool) -> None:
        """Keep a frame numbered ``next_sequence`` and move on. ``sent``: the caller sends it now.

        Raises LocalProtocolError when MAX_UNACKNOWLEDGED are kept already.
        """
        if len(self._stored) >= MAX_UNACKNOWLEDGED:
            raise LocalProtocolError(f"{MAX_UNACKNOWLEDGED} messages wait for a receipt: the window was not respected")
        self._stored[self.next_sequence] = _Stored(frame, now, now, self._number() if sent else -1)
        self.next_sequence += 1
        self._counted += 1
        if sent and self._due is None:
            self._due = now + self.rto

    def acknowledge(self, sequence_number: int, now: float) -> None:
        """Take a receipt. Numbers that are not waited for are repeated receipts, and change nothing."""
        stored = self._stored.pop(sequence_number, None)
        if stored is None:
            return
        self._counted -= stored.counted
        if not self._heard_since_wake and self._due is not None:
            self._due = min(self._due, now + WAKE)
        self._heard_since_wake = True
        self._progress = now
        if stored.ambiguous or stored.transmission < 0:
            return  # Which of the transmissions was it? No sample (Karn's rule), no evidence.
        self._sample(now - stored.first_sent)
        if stored.transmission > self._evidence[0]:
            self._evidence = tuple(sorted((*self._evidence[1:], stored.transmission)))

    def lost(self, now: float) -> list[bytes]:
        """Frames that the receipts so far prove lost, to be sent again now."""
        threshold = self._evidence[0]
        frames: list[bytes] = []
        for stored in self._stored.values():
            if stored.transmission > threshold:
                if stored.ambiguous:
                    continue
                break  # Messages sent once were sent in order: nothing behind this one is older.
            if stored.transmission < 0:
                continue
            if stored.resends < MAX_QUICK_RESENDS:
                frames.append(self._again(stored, now))
            elif stored.counted:
                # It got there, as the receipts for what followed each time show, and the peer says nothing twice.
                stored.counted = False
                self._counted -= 1
        return frames

    def next_deadline(self) -> float | None:
        """When :meth:`overdue` is next due, or None."""
        return self._due if self._stored else None

    def overdue(self, now: float) -> list[bytes]:
        """Frames whose receipt is overdue, to be sent again now."""
        if self._due is None or now < self._due:
            return []
        sent = [stored for stored in self._stored.values() if stored.transmission >= 0]
        tried = sent if self._heard_since_wake else sent[:1]
        late = [stored for stored in tried if now >= self._due_of(stored)]
        frames = [self._again(stored, now) for stored in late[:BURST]]
        if frames:
            # Until a message that was sent once brings a fresh sample, the estimate is not to be trusted.
            self.rto = min(MAX_RTO, self.rto * 2)
            self._heard_since_wake = False
            tried = sent[:1]
        self._due = max(now + WAKE, min(self._due_of(stored) for stored in tried)) if tried else None
        return frames

    def unsent(self, now: float) -> list[bytes]:
        """Frames that were stored during a pause, to be sent now for the first time."""
        frames: list[bytes] = []
        for stored in self._stored.values():
            if stored.transmission < 0:
                stored.first_sent = stored.last_sent = now
                stored.transmission = self._number()
                frames.append(stored.frame)
        self._restart(now)
        return frames

    def everything(self, now: float) -> list[bytes]:
        """All frames without a receipt, in order, to be sent over a new connection.

        Their receipts may have gone down with the old one, and an official plugin gives no second: they leave the
        window.
        """
        frames: list[bytes] = []
        for stored in self._stored.values():
            if stored.transmission < 0:
                stored.first_sent = now
            else:
                stored.ambiguous = True
            stored.last_sent = now
            stored.transmission = self._number()
            stored.resends = 0
            stored.counted = False
            frames.append(stored.frame)
        self._counted = 0
        self._restart(now)
        return frames

    def _restart(self, now: float) -> None:
        self._progress = now
        self._due = now + self.rto if self._stored else None

    def _number(self) -> int:
        self._transmissions += 1
        return self._transmissions

    def _again(self, stored: _Stored, now: float) -> bytes:
        stored.last_sent = now
        stored.transmission = self._number()
        stored.ambiguous = True
        stored.resends += 1
        return stored.frame

    def _due_of(self, stored: _Stored) -> float:
        patience: int = max(0, min(stored.resends - PATIENCE, 8))
        return stored.last_sent + min(MAX_RESEND_INTERVAL, self.rto * (1 << patience))

    def _sample(self, sample: float) -> None:
        self.rtt_variation = 0.75 * self.rtt_variation + 0.25 * abs(self.rtt - sample)
        self.rtt = 0.875 * self.rtt + 0.125 * sample
        self.rto = min(MAX_RTO, self.rtt + max(CLOCK_GRANULARITY, 4 * self.rtt_variation))


@dataclass(slots=True)
class _Held(Generic[T]):
    item: T
    size: int
    acknowledged: bool


class Receiver(Generic[T]):
    """Puts incoming stream messages in order. ``T`` is whatever the channel made of a message."""

    def __init__(self) -> None:
        self.expected = 0
        self.held_bytes = 0
        self._held: dict[int, _Held[T]] = {}

    def __len__(self) -> int:
        """Number of messages that wait for their turn; ``held_bytes`` is what they occupy, with overhead."""
        return len(self._held)

    def hold(self, sequence_number: int, item: T, size: int, *, acknowledge: bool) -> bool:
        """Keep a message for later. Returns whether to acknowledge it now.

        No room means no receipt: the peer will send it again. A message that is already held keeps its first form.
        """
        held = self._held.get(sequence_number)
        if held is None:
            occupied = size + _HELD_OVERHEAD
            if len(self._held) >= MAX_HELD_MESSAGES or self.held_bytes + occupied > MAX_HELD_BYTES:
                return False
            self._held[sequence_number] = _Held(item, occupied, acknowledge)
            self.held_bytes += occupied
            return acknowledge
        held.acknowledged |= acknowledge
        return held.acknowledged

    def advance(self) -> None:
        """The message whose turn it is has been taken as it came; a copy held from earlier is dropped."""
        held = self._held.pop(self.expected, None)
        if held is not None:
            self.held_bytes -= held.size
        self.expected += 1

    def peek(self) -> T | None:
        """The held message whose turn it is, or None."""
        held = self._held.get(self.expected)
        return None if held is None else held.item

    def take(self) -> tuple[T, bool]:
        """Remove the message that :meth:`peek` showed; return it and whether it had been acknowledged."""
        held = self._held.pop(self.expected)
        self.held_bytes -= held.size
        self.expected += 1
        return held.item, held.acknowledged
