"""Two cores joined in memory by a network that loses, doubles and reorders frames, on a clock that is only a number."""

from __future__ import annotations

import heapq
import itertools
import random
import uuid
from collections.abc import Callable
from typing import Any

from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.events import DataReceived, Event
from sm_ssh_entry.wire.message import PayloadType

EPOCH = 1_700_000_000.0


def ids(start: int = 1) -> Callable[[], uuid.UUID]:
    """Message ids that count up."""
    numbers = itertools.count(start)
    return lambda: uuid.UUID(int=next(numbers))


def make_client(**options: Any) -> DataChannel:
    return DataChannel(Role.CLIENT, new_id=ids(), epoch=EPOCH, **options)


def make_agent(**options: Any) -> DataChannel:
    options.setdefault("session_type", "Port")
    options.setdefault("properties", {"portNumber": "22"})
    return DataChannel(Role.AGENT, new_id=ids(1 << 64), epoch=EPOCH, session_id="s-1", **options)


class ConnectionPair:
    """A client and an agent. ``loss``, ``doubling`` and ``reordering`` are probabilities for each frame."""

    def __init__(
        self,
        client: DataChannel,
        agent: DataChannel,
        *,
        seed: int = 0,
        loss: float = 0.0,
        doubling: float = 0.0,
        reordering: float = 0.0,
        latency: float = 0.005,
    ) -> None:
        self.channels = {Role.CLIENT: client, Role.AGENT: agent}
        self.events: dict[Role, list[Event]] = {Role.CLIENT: [], Role.AGENT: []}
        #: What each end has still to send. Views, because slicing bytes copies them.
        self.sources: dict[Role, memoryview] = {Role.CLIENT: memoryview(b""), Role.AGENT: memoryview(b"")}
        self.frames_sent = {Role.CLIENT: 0, Role.AGENT: 0}
        self.now = 0.0
        self.is_cut = False
        self._random = random.Random(seed)
        self._loss, self._doubling, self._reordering, self._latency = loss, doubling, reordering, latency
        self._flying: list[tuple[float, int, Role, bytes]] = []
        self._order = itertools.count()
        for channel in self.channels.values():
            channel.connected(self.now)

    @property
    def client(self) -> DataChannel:
        return self.channels[Role.CLIENT]

    @property
    def agent(self) -> DataChannel:
        return self.channels[Role.AGENT]

    def received(self, role: Role, kind: PayloadType = PayloadType.OUTPUT) -> bytes:
        """The stream as this end has got it."""
        return b"".join(one.data for one in self.events[role] if isinstance(one, DataReceived) and one.kind == kind)

    def of_kind(self, role: Role, kind: type) -> list[Event]:
        return [event for event in self.events[role] if isinstance(event, kind)]

    def settle(self) -> None:
        """Let everything arrive that is on its way and what follows from it, without waiting for a timer."""
        self._collect()
        while self._flying:
            self._arrive()
            self._collect()

    def advance(self, seconds: float) -> None:
        """Let time pass, with all that happens meanwhile."""
        end = self.now + seconds
        self._collect()
        while (at := self._next()) is not None and at <= end:
            self._step(at)
        self.now = end

    def run(self, until: Callable[[], bool], *, limit: float = 600.0) -> None:
        """Go on, offering the sources' bytes while there is room, until a condition holds; fail after ``limit``."""
        end = self.now + limit
        self._collect()
        while not until():
            at = self._next()
            assert at is not None, "nothing will ever happen again"
            assert at <= end, f"not within {limit} s of the pair's time"
            self._step(at)

    def cut(self, seconds: float) -> None:
        """Lose the connection and everything in flight, let time pass, and connect both ends again."""
        self._flying.clear()
        self.is_cut = True
        self.advance(seconds)
        self.is_cut = False
        for channel in self.channels.values():
            channel.connected(self.now)
        self._collect()

    def _step(self, at: float) -> None:
        self.now = max(self.now, at)
        if self._flying and self._flying[0][0] <= self.now:
            self._arrive()
        for role, channel in self.channels.items():
            due = channel.next_deadline()
            if due is not None and due <= self.now:
                self.events[role] += channel.tick(self.now)
        self._collect()

    def _arrive(self) -> None:
        at, _, role, frame = heapq.heappop(self._flying)
        self.now = max(self.now, at)
        self.events[role] += self.channels[role].receive(frame, self.now)

    def _next(self) -> float | None:
        times = [due for channel in self.channels.values() if (due := channel.next_deadline()) is not None]
        if self._flying:
            times.append(self._flying[0][0])
        return min(times, default=None)

    def _collect(self) -> None:
        for role, channel in self.channels.items():
            while self.sources[role] and channel.writable:
                step = channel.max_payload
                channel.send_data(self.sources[role][:step], self.now)
                self.sources[role] = self.sources[role][step:]
            for frame in channel.frames_to_send():
                self.frames_sent[role] += 1
                self._fly(Role.AGENT if role is Role.CLIENT else Role.CLIENT, frame)

    def _fly(self, to: Role, frame: bytes) -> None:
        if self.is_cut or self._random.random() < self._loss:
            return
        copies = 2 if self._random.random() < self._doubling else 1
        for _ in range(copies):
            late = self._latency * 4 * self._random.random() if self._random.random() < self._reordering else 0.0
            heapq.heappush(self._flying, (self.now + self._latency + late, next(self._order), to, frame))


def shaken(pair: ConnectionPair) -> ConnectionPair:
    """The pair with its handshake done, over a network that does nothing wrong meanwhile."""
    pair.agent.start_handshake(pair.now)
    pair.settle()
    return pair
