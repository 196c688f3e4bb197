"""Many connections in one port session, with an smux client over a real data channel."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
from collections import defaultdict

from sm_ssh_entry.plane.agent import mux
from sm_ssh_entry.wire import events
from sm_ssh_entry.wire.payloads import SessionFlag
from sm_ssh_entry.wire.smux import MuxSession, StreamClosed, StreamData
from tests.plane.agent.processes import Agent, descriptors
from tests.plane.agent.session_client import Session, session
from tests.plane.agent.test_port import FORWARD, closed_port, echo, serving
from tests.waiting import wait_until


class Sink:
    """A data channel that takes everything."""

    chunk = 1024

    def __init__(self) -> None:
        self.taken = asyncio.Event()

    async def send(self, data: bytes) -> None:
        """Take it."""
        self.taken.set()


class Mux:
    """The client's smux session over a session client."""

    def __init__(self, client: Session) -> None:
        self.client = client
        self.smux = MuxSession(client=True)
        self.received: defaultdict[int, bytearray] = defaultdict(bytearray)
        self.finished: set[int] = set()
        take = client.take

        def intercept(event: events.Event) -> None:
            if isinstance(event, events.DataReceived):
                for found in self.smux.receive(event.data):
                    if isinstance(found, StreamData):
                        self.received[found.stream_id] += found.data
                        self.smux.consumed(len(found.data))
                    elif isinstance(found, StreamClosed):
                        self.finished.add(found.stream_id)
            take(event)

        client.take = intercept  # type: ignore[method-assign]

    async def flush(self) -> None:
        data = self.smux.bytes_to_send()
        if data:
            await self.client.send(data)

    async def open(self) -> int:
        stream = self.smux.open_stream()
        await self.flush()
        return stream

    async def send(self, stream: int, data: bytes) -> None:
        self.smux.send(stream, data)
        await self.flush()

    async def close(self, stream: int) -> None:
        self.smux.close_stream(stream)
        await self.flush()


def test_connections_share_a_session_and_do_not_mix(node: Agent) -> None:
    texts = [os.urandom(300_000 + number) for number in range(8)]

    async def scenario() -> None:
        async with serving(echo) as port, session(node.ssm, node.node_id, FORWARD, portNumber=port) as one:
            mux = Mux(one)
            await one.until(lambda: one.ready)
            streams = [await mux.open() for _ in texts]
            for start in range(0, 301_000, 20_000):
                for stream, text in zip(streams, texts, strict=True):
                    await mux.send(stream, text[start : start + 20_000])
            await one.until(lambda: sum(map(len, mux.received.values())) == sum(map(len, texts)))
            assert [bytes(mux.received[stream]) for stream in streams] == texts

    asyncio.run(scenario())


def test_a_connection_ends_alone(node: Agent) -> None:
    async def scenario() -> None:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read(100))

        async with serving(once) as port, session(node.ssm, node.node_id, FORWARD, portNumber=port) as one:
            mux = Mux(one)
            await one.until(lambda: one.ready)
            first, second = await mux.open(), await mux.open()
            await mux.send(first, b"one")
            await one.until(lambda: first in mux.finished)
            assert mux.received[first] == b"one"
            await mux.send(second, b"two")
            await one.until(lambda: second in mux.finished)
            assert mux.received[second] == b"two"
            assert one.closed is None

    asyncio.run(scenario())


def test_the_clients_end_of_a_connection_reaches_the_server(node: Agent) -> None:
    async def scenario() -> None:
        received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def take(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            received.set_result(await reader.read(-1))

        async with serving(take) as port, session(node.ssm, node.node_id, FORWARD, portNumber=port) as one:
            mux = Mux(one)
            await one.until(lambda: one.ready)
            stream = await mux.open()
            await mux.send(stream, b"all of it")
            await mux.close(stream)
            assert await asyncio.wait_for(received, 120) == b"all of it"

    asyncio.run(scenario())


def test_a_closed_port_fails_the_connection_and_not_the_session(node: Agent) -> None:
    async def scenario() -> None:
        port = await closed_port()
        async with session(node.ssm, node.node_id, FORWARD, portNumber=port) as one:
            mux = Mux(one)
            await one.until(lambda: one.ready)
            for _ in range(2):
                stream = await mux.open()
                await one.until(functools.partial(mux.finished.__contains__, stream))
            assert one.flags == [SessionFlag.CONNECT_TO_PORT_ERROR] * 2
            assert one.closed is None

    asyncio.run(scenario())


def test_garbage_ends_the_session_with_the_reason(node: Agent) -> None:
    async def scenario() -> None:
        async with serving(echo) as port, session(node.ssm, node.node_id, FORWARD, portNumber=port) as one:
            await one.until(lambda: one.ready)
            await one.send(b"GET / HTTP/1.1\r\n\r\n")
            assert "malformed" in await one.end()

    asyncio.run(scenario())


def test_a_connection_that_takes_nothing_leaves_the_session_usable(node: Agent) -> None:
    async def scenario() -> None:
        async def picky(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await reader.read(1) == b"s":
                await asyncio.Event().wait()
            writer.write(b"ok")

        async with serving(picky) as port, session(node.ssm, node.node_id, FORWARD, portNumber=port) as one:
            mux = Mux(one)
            await one.until(lambda: one.ready)
            stuck, good = await mux.open(), await mux.open()
            await mux.send(stuck, b"s" + bytes(2 << 20))
            await mux.send(good, b"g")
            await one.until(lambda: mux.received[good] == b"ok")

    asyncio.run(scenario())


def test_a_connection_that_is_given_up_leaves_no_half_frame_behind() -> None:
    """Its cancelled task may just have been sending for all connections: what follows would be taken for a frame."""

    class Window:
        """A link whose window is full until it is opened."""

        chunk = 5

        def __init__(self) -> None:
            self.sent = bytearray()
            self.waiting, self.opened = asyncio.Event(), asyncio.Event()

        async def send(self, data: bytes) -> None:
            self.sent += data
            self.waiting.set()
            await self.opened.wait()

    async def scenario() -> None:
        link, client = Window(), MuxSession(client=True)
        forwarding = mux._Forwarding(link, "localhost", 1, keepalive=False)  # type: ignore[arg-type]
        first, second = client.open_stream(), client.open_stream()
        forwarding._mux.receive(client.bytes_to_send())
        forwarding._mux.send(first, b"of the one that is given up")
        flushing = asyncio.create_task(forwarding._flush())
        await link.waiting.wait()
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
        forwarding._mux.send(second, b"of another")
        link.opened.set()
        await forwarding._flush()
        assert client.receive(bytes(link.sent)) == [
            StreamData(first, b"of the one that is given up"),
            StreamData(second, b"of another"),
        ]

    asyncio.run(scenario())


def test_a_connection_that_ends_just_when_its_session_does_is_closed() -> None:
    # The goodbye of one connection is cut short by the session's: a second cancellation, while the first is under way.
    async def scenario() -> None:
        ended = asyncio.Event()

        async def until_eof(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"there")
            with contextlib.suppress(OSError):
                await reader.read(-1)
            ended.set()
            writer.close()

        async with serving(until_eof) as port:
            sink = Sink()
            forwarding = mux._Forwarding(sink, "127.0.0.1", int(port), keepalive=False)  # type: ignore[arg-type]
            client = MuxSession(client=True)
            number = client.open_stream()
            for event in forwarding._mux.receive(client.bytes_to_send()):
                forwarding._act(event)
            serve = forwarding._streams[number].task
            assert serve is not None
            await asyncio.wait_for(sink.taken.wait(), 120)
            serve.cancel()
            await asyncio.sleep(0)
            serve.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serve
            await asyncio.wait_for(ended.wait(), 120)

    # What nobody closes, the collector does some day: not in time.
    gc.disable()
    try:
        asyncio.run(scenario())
    finally:
        gc.enable()


def test_nothing_is_left_of_many_connections(node: Agent) -> None:
    worker = node.worker

    async def scenario(connections: int) -> None:
        async with serving(echo) as port, session(node.ssm, node.node_id, FORWARD, portNumber=port) as one:
            mux = Mux(one)
            await one.until(lambda: one.ready)
            for number in range(connections):
                stream = await mux.open()
                await mux.send(stream, b"x")
                await one.until(functools.partial(mux.received.__getitem__, stream))
                if number % 2:
                    await mux.close(stream)

    # The control channel and whatever else is opened once and kept: there after the first session, so no leak.
    asyncio.run(scenario(2))
    before = descriptors(worker)
    asyncio.run(scenario(60))
    # On a busy machine a client's goodbye may come too late; the plane ends what it left behind after 90 s.
    wait_until(lambda: descriptors(worker) <= before, 150, what="the descriptors of before")
