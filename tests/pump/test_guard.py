"""A pump whose connection falls silent in one way or another: over connections in the test's hands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from sm_ssh_entry.pump import Pace, WebSocketLike, session
from sm_ssh_entry.wire.events import DataReceived, Event
from sm_ssh_entry.wire.message import MessageType
from tests.pump.service import eventually, run
from tests.pump.wire_in_hand import Wire, closed, dialling, ignore, make_pump, output

QUICK = Pace(ping_interval=0.05, ping_timeout=0.1, look_every=0.01, stall_after=0.1, wake_timeout=0.05)
INPUT = MessageType.INPUT_STREAM_DATA


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_BACKOFF", 0.001)
    monkeypatch.setattr(session, "LONGEST_BACKOFF", 0.01)


def test_a_connection_that_answers_no_ping_is_replaced() -> None:
    async def test() -> None:
        silent, other = Wire(output(0, b"a")), Wire(output(1, b"b"), closed())
        silent.answering = False
        events: list[Event] = []
        troubles: list[str] = []
        await make_pump(dialling(silent, other), pace=QUICK, on_trouble=troubles.append).run(events.append)
        assert [event.data for event in events if isinstance(event, DataReceived)] == [b"a", b"b"]
        assert silent.pings
        assert silent.closed
        assert troubles == ["the connection is lost", ""]

    run(test)


def test_a_quiet_connection_that_answers_stays() -> None:
    async def test() -> None:
        wire = Wire(output(0, b"a"))
        running = asyncio.create_task(make_pump(dialling(wire), pace=QUICK).run(ignore))
        await eventually(lambda: wire.pings > 10, "pings")
        assert not running.done()
        wire.incoming.put_nowait(closed())
        await running

    run(test)


def test_a_writer_that_hangs_does_not_keep_a_dead_connection() -> None:
    async def test() -> None:
        hung, other = Wire(output(0, b"a")), Wire()
        pump = make_pump(dialling(hung, other), pace=QUICK)
        running = asyncio.create_task(pump.run(ignore))
        await eventually(lambda: pump.channel.writable, "the first output")
        hung.answering = False
        hung.gate.clear()
        await pump.send_data(b"x")
        await eventually(lambda: other.messages(INPUT), "sent over the other")
        other.incoming.put_nowait(closed())
        await running

    run(test)


def test_a_machine_that_slept_does_not_wait_for_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock has moved on, the monotonic one has not: ten minutes in a bag."""

    async def test() -> None:
        patient = Pace(ping_interval=1000.0, ping_timeout=1000.0, look_every=0.01, wake_timeout=0.05)
        first, other = Wire(output(0, b"a")), Wire(output(1, b"b"), closed())
        first.answering = False
        pump = make_pump(dialling(first, other), pace=patient)
        running = asyncio.create_task(pump.run(ignore))
        await eventually(lambda: pump.channel.writable, "the first output")
        before = time.time
        monkeypatch.setattr("sm_ssh_entry.pump.guard.time.time", lambda: before() + 600)
        await running
        assert (first.pings, first.closed) == (1, True)

    run(test)


class Silent:
    """A service that answers pings, and a peer behind it that gives no receipt."""

    def __init__(self, *after: Wire | Exception) -> None:
        self.first = Wire(output(0, b"a"))
        self._dial = dialling(self.first, *after)
        self.dialled = 0
        self.pump = make_pump(self.dial, pace=QUICK)

    async def dial(self) -> WebSocketLike:
        self.dialled += 1
        return await self._dial()

    async def begin(self, take: Callable[[Event], Awaitable[None] | None] = ignore) -> asyncio.Task[None]:
        running = asyncio.create_task(self.pump.run(take))
        await eventually(lambda: self.pump.channel.writable, "the first output")
        await self.pump.send_data(b"x")
        return running


def test_a_silent_peer_is_asked_over_another_connection() -> None:
    async def test() -> None:
        other = Wire()
        world = Silent(other)
        running = await world.begin()
        await eventually(lambda: other.messages(INPUT), "sent over the other")
        assert world.first.closed
        # It is no use to change connections again and again for one silence.
        await eventually(lambda: other.pings > 5, "time")
        assert world.dialled == 2
        other.incoming.put_nowait(closed())
        await running

    run(test)


def test_the_old_connection_stays_while_there_is_no_other() -> None:
    async def test() -> None:
        world = Silent(ConnectionError("credentials have run out"))
        running = await world.begin()
        await eventually(lambda: world.dialled == 2, "the attempt")
        pings = world.first.pings
        await eventually(lambda: world.first.pings > pings + 5, "time")
        assert not world.first.closed
        assert world.dialled == 2
        world.first.incoming.put_nowait(closed())
        await running

    run(test)


def test_a_session_that_is_over_ends_when_the_peer_is_silent() -> None:
    class Over(Exception):
        """What a dial raises when the service knows no such session."""

    async def test() -> None:
        world = Silent(Over())
        running = await world.begin()
        with pytest.raises(Over):
            await running

    run(test)


def test_a_reader_that_takes_its_time_is_no_dead_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not read cannot be heard to answer."""

    async def test() -> None:
        monkeypatch.setattr("sm_ssh_entry.pump.delivery.DELIVERY_BYTES", 10)
        monkeypatch.setattr(session, "HELD_BYTES", 10)
        gate = asyncio.Event()
        wire = Wire(*(output(number, bytes(1000)) for number in range(50)))
        wire.answering = False
        received: list[Event] = []

        async def slow(event: Event) -> None:
            await gate.wait()
            received.append(event)

        pump = make_pump(dialling(wire), pace=QUICK)
        running = asyncio.create_task(pump.run(slow))
        await eventually(lambda: pump._is_flooded, "a flood")
        await asyncio.sleep(5 * (QUICK.ping_interval + QUICK.ping_timeout))
        assert not running.done()
        assert not wire.closed
        wire.answering = True
        gate.set()
        wire.incoming.put_nowait(closed())
        await running
        assert sum(isinstance(event, DataReceived) for event in received) >= 1

    run(test)
