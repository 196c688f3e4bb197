"""What a pump does when connections break, and when they cannot be had: over connections in the test's hands."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import ConnectionClosedError

from sm_ssh_entry.pump import ConnectionLost, DialRefused, PeerBroken, Pump, PumpError, SessionOver, session
from sm_ssh_entry.wire.channel import Role
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.events import ChannelClosed, DataReceived, Event, HandshakeSkipped
from sm_ssh_entry.wire.message import MessageType
from tests.pump.service import eventually, run
from tests.pump.wire_in_hand import Wire, closed, dialling, ignore, make_pump, output, pause, start

INPUT, ACKNOWLEDGE = MessageType.INPUT_STREAM_DATA, MessageType.ACKNOWLEDGE


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_BACKOFF", 0.001)
    monkeypatch.setattr(session, "LONGEST_BACKOFF", 0.01)


class TestLosses:
    @pytest.mark.parametrize(
        "loss", [ConnectionResetError(), EOFError(), TimeoutError(), ConnectionClosedError(None, None)]
    )
    def test_an_error_of_reading(self, loss: Exception) -> None:
        async def test() -> None:
            first, second = Wire(output(0, b"a"), loss), Wire(output(1, b"b"), closed())
            events: list[Event] = []
            await make_pump(dialling(first, second)).run(events.append)
            assert [event.data for event in events if isinstance(event, DataReceived)] == [b"a", b"b"]
            assert first.closed
            assert second.closed

        run(test)

    def test_an_error_of_writing(self) -> None:
        async def test() -> None:
            first, second = Wire(output(0, b"a")), Wire()
            first.failing = BrokenPipeError()
            pump = make_pump(dialling(first, second))
            running = asyncio.create_task(pump.run(ignore))
            await eventually(lambda: pump.channel.writable, "the first output")
            await pump.send_data(b"x")
            await eventually(lambda: second.messages(INPUT), "sent over the second")
            assert [one.payload for one in second.messages(INPUT)] == [b"x"]
            second.incoming.put_nowait(closed())
            await running

        run(test)

    def test_attempts_that_fail_are_repeated(self) -> None:
        async def test() -> None:
            wire = Wire(closed())
            results = (Wire(output(0, b"a"), OSError()), OSError(), TimeoutError(), ConnectionRefusedError(), wire)
            events: list[Event] = []
            await make_pump(dialling(*results)).run(events.append)
            assert events[-1] == ChannelClosed("bye")

        run(test)

    def test_the_first_attempt_is_made_once_unless_asked(self) -> None:
        async def test() -> None:
            with pytest.raises(ConnectionLost) as caught:
                await make_pump(dialling(ConnectionRefusedError("nobody"), Wire(closed()))).run(ignore)
            assert isinstance(caught.value.__cause__, ConnectionRefusedError)
            await make_pump(dialling(ConnectionRefusedError("nobody"), Wire(closed())), dial_for=30.0).run(ignore)

        run(test)

    def test_patience_has_an_end(self) -> None:
        async def test() -> None:
            attempts = 0

            async def dial() -> Wire:
                nonlocal attempts
                attempts += 1
                if attempts == 1:
                    return Wire(output(0, b"a"), OSError())
                raise ConnectionRefusedError

            events: list[Event] = []
            with pytest.raises(ConnectionLost, match=r"0\.2 s"):
                await make_pump(dial, redial_for=0.2).run(events.append)
            assert attempts > 3
            assert DataReceived in map(type, events)

        run(test)

    def test_connections_that_bring_nothing_are_no_connections(self) -> None:
        async def test() -> None:
            opened = 0

            async def dial() -> Wire:
                nonlocal opened
                opened += 1
                return Wire(OSError())

            with pytest.raises(ConnectionLost):
                await make_pump(dial, redial_for=0.2).run(ignore)
            assert 3 < opened < 1000

        run(test)

    def test_a_dial_that_hangs_does_not_outlast_the_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def test() -> None:
            dialled = 0

            async def dial() -> Wire:
                nonlocal dialled
                dialled += 1
                if dialled == 1:
                    return Wire(output(0, b"a"), OSError())
                await asyncio.Event().wait()
                raise AssertionError

            with pytest.raises(ConnectionLost):
                await make_pump(dial, redial_for=0.05).run(ignore)

        run(test)

    def test_a_refusal_ends_the_session_after_what_was_received(self) -> None:
        async def test() -> None:
            events: list[Event] = []

            async def slowly(event: Event) -> None:
                await asyncio.sleep(0.01)
                events.append(event)

            with pytest.raises(DialRefused):
                await make_pump(dialling(Wire(output(0, b"a"), output(1, b"b"), OSError()))).run(slowly)
            assert [type(event) for event in events] == [HandshakeSkipped, DataReceived, DataReceived]

        run(test)

    def test_other_errors_of_dialling_come_out_as_they_are(self) -> None:
        async def test() -> None:
            with pytest.raises(ZeroDivisionError):
                await make_pump(dialling(ZeroDivisionError())).run(ignore)

        run(test)


class TestMalformedFrames:
    def test_a_few_are_dropped(self) -> None:
        async def test() -> None:
            rubbish: list[str | bytes] = [b"rubbish", "text", b""]
            wire = Wire(*rubbish, output(0, b"a"), *rubbish, closed())
            events: list[Event] = []
            await make_pump(dialling(wire)).run(events.append)
            assert events[1:] == [DataReceived(b"a", events[1].kind), ChannelClosed("bye")]  # type: ignore[union-attr]

        run(test)

    def test_nothing_but_such_ends_the_session(self) -> None:
        async def test() -> None:
            wire = Wire(*[b"rubbish"] * session.MALFORMED_FRAMES)
            with pytest.raises(PeerBroken) as caught:
                await make_pump(dialling(wire)).run(ignore)
            assert isinstance(caught.value.__cause__, RemoteProtocolError)
            assert wire.closed

        run(test)


class TestTheEnd:
    def test_nothing_is_dialled_after_the_service_has_closed(self) -> None:
        async def test() -> None:
            gate = asyncio.Event()

            async def slowly(_: Event) -> None:
                await gate.wait()

            pump = make_pump(dialling(Wire(output(0, b"a"), closed(), OSError())))
            running = asyncio.create_task(pump.run(slowly))
            await eventually(lambda: not pump.connected and pump.channel.next_deadline() is None, "closed")
            gate.set()
            await running

        run(test)

    def test_close_sends_what_is_to_be_sent(self) -> None:
        async def test() -> None:
            wire = Wire(output(0, b"a"))
            pump = make_pump(dialling(wire))
            running = asyncio.create_task(pump.run(ignore))
            await eventually(lambda: pump.channel.writable, "started")
            wire.gate.clear()
            await pump.send_data(b"x")
            await pump.terminate()
            closing = asyncio.create_task(pump.close(flush_for=20.0))
            await asyncio.sleep(0)
            wire.gate.set()
            await closing
            await running
            assert [one.payload for one in wire.messages(INPUT)] == [b"x", b"\0\0\0\2"]
            assert wire.closed
            with pytest.raises(SessionOver):
                await pump.send_flag(1)
            await pump.close()

        run(test)

    def test_close_does_not_wait_for_ever(self) -> None:
        async def test() -> None:
            wire = Wire(output(0, b"a"))
            pump = make_pump(dialling(wire))
            running = asyncio.create_task(pump.run(ignore))
            await eventually(lambda: pump.channel.writable, "started")
            wire.gate.clear()
            await pump.send_data(b"x")
            await pump.close(flush_for=0.05)
            await running

        run(test)

    def test_close_from_within_on_event_lets_that_event_finish(self) -> None:
        async def test() -> None:
            seen: list[str] = []
            pumps: list[Pump] = []

            async def on_event(event: Event) -> None:
                seen.append("begun")
                await pumps[0].close()
                await asyncio.sleep(0.01)
                seen.append("finished")

            pumps.append(make_pump(dialling(Wire(output(0, b"a"), output(1, b"b")))))
            await pumps[0].run(on_event)
            assert seen == ["begun", "finished"]

        run(test)

    def test_close_from_outside_does_not_wait_for_a_stuck_consumer(self) -> None:
        async def test() -> None:
            async def stuck(_: Event) -> None:
                await asyncio.Event().wait()

            pump = make_pump(dialling(Wire(output(0, b"a"))))
            running = asyncio.create_task(pump.run(stuck))
            await eventually(lambda: pump.connected, "connected")
            await pump.close()
            await running

        run(test)

    def test_an_error_of_on_event_ends_the_run_and_the_connection(self) -> None:
        async def test() -> None:
            def broken(_: Event) -> None:
                raise KeyError("consumer")

            wire = Wire(output(0, b"a"))
            with pytest.raises(KeyError):
                await make_pump(dialling(wire)).run(broken)
            assert wire.closed

        run(test)

    def test_cancelling_the_run_closes_the_connection(self) -> None:
        async def test() -> None:
            wire = Wire()
            pump = make_pump(dialling(wire))
            running = asyncio.create_task(pump.run(ignore))
            await eventually(lambda: pump.connected, "connected")
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert wire.closed

        run(test)

    def test_who_waits_to_send_is_told(self) -> None:
        async def test() -> None:
            wire = Wire()
            pump = make_pump(dialling(wire))
            running = asyncio.create_task(pump.run(ignore))
            sending = asyncio.create_task(pump.send_data(b"waits for the session to start"))
            await eventually(lambda: pump.connected, "connected")
            wire.incoming.put_nowait(closed())
            await running
            with pytest.raises(SessionOver):
                await sending
            assert not await pump.drain(0.0) or pump.channel.unacknowledged == 0

        run(test)


class TestBounds:
    def test_a_peer_that_sends_and_does_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "OUTGOING_FRAMES", 10)

        async def test() -> None:
            wire = Wire(*(output(number, b"x") for number in range(200)))
            wire.gate.clear()
            pump = make_pump(dialling(wire))
            running = asyncio.create_task(pump.run(ignore))
            await eventually(lambda: pump.channel.pending_frames > 10, "flooded")
            for _ in range(50):
                await asyncio.sleep(0)
            assert wire.incoming.qsize() > 150
            wire.gate.set()
            await eventually(lambda: len(wire.messages(ACKNOWLEDGE)) == 200, "all of it in the end")
            await pump.close()
            await running

        run(test)

    def test_a_peer_that_floods_with_what_is_no_data(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sm_ssh_entry.pump.delivery.DELIVERY_BYTES", 256 * 10)

        async def test() -> None:
            gate = asyncio.Event()

            async def stuck(_: Event) -> None:
                await gate.wait()

            frames = [frame for _ in range(200) for frame in (pause(), start())]
            wire = Wire(*frames)
            pump = make_pump(dialling(wire), Role.AGENT, session_type="Standard_Stream")
            running = asyncio.create_task(pump.run(stuck))
            await eventually(lambda: wire.incoming.qsize() < 390, "reading has begun")
            for _ in range(50):
                await asyncio.sleep(0)
            assert wire.incoming.qsize() > 350
            gate.set()
            await eventually(wire.incoming.empty, "all of it in the end")
            await pump.close()
            await running

        run(test)

    def test_drain_waits_for_receipts(self) -> None:
        async def test() -> None:
            wire = Wire(output(0, b"a"))
            pump = make_pump(dialling(wire))
            running = asyncio.create_task(pump.run(ignore))
            await eventually(lambda: pump.channel.writable, "started")
            assert await pump.drain(1.0)
            await pump.send_data(b"x")
            assert not await pump.drain(0.02)
            await pump.close()
            await running

        run(test)


def test_the_errors_have_one_root() -> None:
    assert {ConnectionLost, DialRefused, PeerBroken, SessionOver} == set(PumpError.__subclasses__())
