"""How fast the way to a node is: round trips, and bytes both ways through one session and through several.

A probe is a session with a small ``sh`` script at its far end; nothing is installed. What counts is what has arrived:
downwards the bytes read here, upwards the bytes that the script has read and said so. Buffers on the way, megabytes of
them, are not taken for speed.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sm_ssh_entry.errors import SessionFailed

#: What the script says first. In two parts, so that a terminal's echo of the script is not taken for it.
READY = b"sm-ssh-ready"
_ACKNOWLEDGED = 65536
#: The far end: ``ping`` answers a line, ``down N`` gives N bytes, ``up`` counts what comes, to the end of the session.
SCRIPT = (
    "printf 'sm-ssh-%s\\n' ready; while read -r verb count; do case $verb in "
    "ping) echo pong;; "
    'down) head -c "$count" /dev/zero;; '
    f'up) while n=$(head -c {_ACKNOWLEDGED} | wc -c); [ "$n" -gt 0 ]; do echo "$n"; done;; '
    "esac; done"
)
#: The official agent sends at most 1 KiB a message and waits 1 ms after each (port_basic.go, port_mux.go): with the
#: work of a message, 0.6 MB/s. A session that is faster has another agent at its end.
AGENT_PACE = 1_024_000.0
_PINGS = 20
_LEAST_CHUNK, _MOST_CHUNK = 65536, 1 << 20
#: Requests under way at once, so that the node never waits for the next.
_OUTSTANDING = 4
#: Seconds that a chunk is to take, and that a phase lasts at least.
_CHUNK_SECONDS = 0.1
_LEAST_SECONDS = 0.5
#: Seconds without a byte after which a probe counts as dead.
_SILENCE = 15.0
#: Seconds between two looks at what has been counted.
_GLANCE = 0.02


class Probe(Protocol):
    """One session with the script at its end."""

    async def send(self, data: bytes) -> None:
        """Send; waits while there is no room.

        Raises:
            SessionFailed: the session is over.
        """

    async def receive(self) -> bytes:
        """Return what comes next.

        Raises:
            SessionFailed: the session is over.
        """

    async def close(self) -> None:
        """End the session."""


@dataclass(frozen=True)
class Rate:
    """What went through a number of sessions, in bytes a second."""

    sessions: int
    down: float
    up: float


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        opening: seconds until the first session was ready.
        round_trips: seconds of each.
        rates: one for each number of sessions.
    """

    opening: float
    round_trips: tuple[float, ...]
    rates: tuple[Rate, ...]

    @property
    def latency(self) -> float:
        """The median round trip."""
        return statistics.median(self.round_trips)

    @property
    def verdict(self) -> str:
        """What limits, in one sentence."""
        alone = next((rate.down for rate in self.rates if rate.sessions == 1), 0.0)
        best = max(self.rates, key=lambda rate: rate.down)
        if alone > AGENT_PACE:
            return "the network and the two machines limit, not the agent's pace"
        paced = "the SSM agent sends 1 KiB each ms at most, about 0.6 MB/s in one session, whatever the network"
        if alone and best.sessions > 1 and best.down < alone * min(best.sessions, 2) * 0.75:
            return f"{paced}; more sessions bring little here: the network or the machines limit, too"
        return f"{paced}; sessions add up: sm-ssh cp --parallel, or cp --via s3 for much"


async def measure(
    opener: Callable[[], Awaitable[Probe]],
    sessions: Sequence[int],
    *,
    seconds: float,
    limit: int,
    progress: Callable[[str], None],
) -> Speed:
    """Measure within a time and a number of bytes.

    Args:
        opener: opens a probe that is ready.
        sessions: numbers of sessions to measure through.
        seconds: for everything; opening included, except that each step lasts half a second at least.
        limit: most bytes for each number of sessions and direction.
        progress: takes one line for the user.

    Raises:
        SessionFailed: a session could not be had, or broke.
    """
    began = time.monotonic()
    probes: list[Probe] = []
    uploads: list[_Upload] = []
    try:
        progress("opening a session")
        probes.append(await opener())
        opening = time.monotonic() - began
        if max(sessions) > 1:
            progress(f"opening {max(sessions) - 1} more")
            more = await asyncio.gather(*(opener() for _ in range(max(sessions) - 1)), return_exceptions=True)
            probes += [one for one in more if not isinstance(one, BaseException)]
            for outcome in more:
                if isinstance(outcome, BaseException):
                    raise outcome
        readers = [_Reader(probe) for probe in probes]
        progress("measuring round trips")
        round_trips = await _ping(readers[0])
        left = seconds - (time.monotonic() - began)
        step = max(_LEAST_SECONDS, left / (2 * len(sessions)))
        down, up = [], []
        for count in sessions:
            progress(f"measuring down, {_sessions(count)}")
            down.append(await _down(readers[:count], step, limit))
        uploads = [_Upload(reader) for reader in readers]
        for count in sessions:
            progress(f"measuring up, {_sessions(count)}")
            up.append(await _up(uploads[:count], step, limit))
        rates = (Rate(*one) for one in zip(sessions, down, up, strict=True))
        return Speed(opening, tuple(round_trips), tuple(rates))
    finally:
        for upload in uploads:
            upload.counting.cancel()
        await asyncio.gather(*(upload.counting for upload in uploads), return_exceptions=True)
        await asyncio.gather(*(probe.close() for probe in probes), return_exceptions=True)


async def ready(probe: Probe) -> None:
    """Wait until the script runs.

    Raises:
        SessionFailed: it does not.
    """
    await _Reader(probe).until(READY + b"\n")


class _Reader:
    """What comes from a probe, in lines and counts."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self._buffer = bytearray()

    async def until(self, end: bytes, *, silence: float | None = _SILENCE) -> bytes:
        """Return everything up to an end, without it; None: however long it takes."""
        while (at := self._buffer.find(end)) < 0:
            self._buffer += await self._more(silence)
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return found

    async def skip(self, count: int) -> None:
        """Read so many bytes."""
        while count > len(self._buffer):
            count -= len(self._buffer)
            self._buffer.clear()
            self._buffer += await self._more(_SILENCE)
        del self._buffer[:count]

    async def _more(self, silence: float | None) -> bytes:
        try:
            return await asyncio.wait_for(self.probe.receive(), silence)
        except asyncio.TimeoutError:
            raise SessionFailed(f"nothing has come from the node for {silence:.0f} s", hint="try again") from None


async def _ping(reader: _Reader) -> list[float]:
    found: list[float] = []
    began = time.monotonic()
    while len(found) < _PINGS and (not found or time.monotonic() - began < 1.0):
        sent = time.monotonic()
        await reader.probe.send(b"ping\n")
        await reader.until(b"pong\n")
        found.append(time.monotonic() - sent)
    return found


async def _down(readers: Sequence[_Reader], seconds: float, limit: int) -> float:
    began = time.monotonic()
    share = limit // len(readers)
    counts = await asyncio.gather(*(_pull(reader, began, seconds, share) for reader in readers))
    return sum(counts) / (time.monotonic() - began)


async def _pull(reader: _Reader, began: float, seconds: float, limit: int) -> int:
    asked: list[int] = []
    total = taken = 0
    chunk = _LEAST_CHUNK
    while True:
        while len(asked) < _OUTSTANDING and total + chunk <= limit and time.monotonic() - began < seconds:
            asked.append(chunk)
            total += chunk
            await reader.probe.send(b"down %d\n" % chunk)
        if not asked:
            return taken
        size = asked.pop(0)
        await reader.skip(size)
        taken += size
        rate = taken / (time.monotonic() - began)
        chunk = int(min(_MOST_CHUNK, max(_LEAST_CHUNK, rate * _CHUNK_SECONDS)))


class _Upload:
    """A probe that only counts any more. Its counting is never stopped half-way through a line."""

    def __init__(self, reader: _Reader) -> None:
        self.counted = self.sent = 0
        self._reader = reader
        self.counting = asyncio.create_task(self._count())

    async def feed(self, limit: int) -> None:
        """Send until cancelled, or so many bytes."""
        piece = bytes(16384)
        for _ in range(0, limit, len(piece)):
            await self._reader.probe.send(piece)
            self.sent += len(piece)

    @property
    def is_empty(self) -> bool:
        """Whether the script has read everything, but for what is too little to be told."""
        return self.sent - self.counted < _ACKNOWLEDGED

    async def _count(self) -> None:
        """Let the script count, and add up what it says."""
        await self._reader.probe.send(b"up\n")
        while True:
            line = await self._reader.until(b"\n", silence=None)
            try:
                self.counted += int(line)
            except ValueError:
                raise SessionFailed("the node does not count what it reads", hint="it needs sh, head and wc") from None


async def _up(uploads: Sequence[_Upload], seconds: float, limit: int) -> float:
    counting = [one.counting for one in uploads]
    began = time.monotonic()
    before = sum(one.counted for one in uploads)
    feeding = [asyncio.create_task(one.feed(limit // len(uploads))) for one in uploads]
    try:
        while True:
            done, _ = await asyncio.wait(counting, timeout=_GLANCE, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
            took, counted = time.monotonic() - began, sum(one.counted for one in uploads) - before
            if counted and (took > seconds or all(one.is_empty for one in uploads)):
                return counted / took
            if took > seconds + _SILENCE:
                raise SessionFailed(f"the node has read nothing for {took:.0f} s", hint="try again")
    finally:
        for task in feeding:
            task.cancel()
        await asyncio.gather(*feeding, return_exceptions=True)


def _sessions(count: int) -> str:
    return f"{count} session{'s' if count > 1 else ''}"
