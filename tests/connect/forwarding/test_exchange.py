"""One connection's two ends over real sockets; the node's side is a few lines of the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sm_ssh_entry.connect.forwarding import exchange
from sm_ssh_entry.connect.forwarding.local import Local
from tests.waiting import wait_until

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Node:
    """The far end: what it was sent, and whether it was told of the end."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.finished = asyncio.Event()

    async def send(self, data: bytes) -> None:
        self.received += data

    async def finish(self) -> None:
        self.finished.set()


class Carried:
    """A program's connection that is being carried."""

    def __init__(self, program: Streams, near: Local, node: Node, lost: asyncio.Future[None]) -> None:
        self.reader, self.writer = program
        self.near, self.node, self.lost = near, node, lost
        self.taken = 0
        self.task: asyncio.Task[None]


@contextlib.asynccontextmanager
async def carried(patience: float = 30.0) -> AsyncIterator[Carried]:
    """Connect a program to a listener and carry the connection."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        program = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        node, lost = Node(), asyncio.get_running_loop().create_future()
        reader, writer = await accepted.get()

        def taken(count: int) -> None:
            one.taken += count

        near = Local(reader, writer, taken)
        one = Carried(program, near, node, lost)
        one.task = asyncio.create_task(exchange.both_ways(near, node, lost, patience=patience))
        try:
            yield one
            await asyncio.wait_for(one.task, 120)
        finally:
            one.task.cancel()
            one.writer.close()
            writer.close()


def test_the_nodes_end_comes_after_all_that_it_has_said() -> None:
    async def scenario() -> None:
        async with carried() as one:
            for _ in range(50):
                one.near.give(b"x" * 10_000)
            one.near.finish()
            assert await one.reader.read(-1) == b"x" * 500_000
            one.writer.close()
        assert one.taken == 500_000
        assert not one.node.finished.is_set()

    asyncio.run(scenario())


def test_an_answer_reaches_a_program_that_has_finished_sending() -> None:
    """The official agent drops the answer once it has been told of the program's end: it is told late."""

    async def scenario() -> None:
        async with carried() as one:
            one.writer.write(b"question")
            one.writer.write_eof()
            await asyncio.to_thread(wait_until, lambda: one.node.received == b"question")
            one.near.give(b"answer")
            one.near.finish()
            assert await one.reader.read(-1) == b"answer"
            assert not one.node.finished.is_set()

    asyncio.run(scenario())


def test_the_programs_end_is_told_when_the_node_has_been_silent() -> None:
    async def scenario() -> None:
        async with carried(patience=0.05) as one:
            one.writer.write_eof()
            await asyncio.wait_for(one.node.finished.wait(), 120)
            one.near.give(b"at last")
            one.near.finish()
            assert await one.reader.read(-1) == b"at last"

    asyncio.run(scenario())


def test_a_program_that_goes_away_ends_the_connection() -> None:
    async def scenario() -> None:
        async with carried() as one:
            one.writer.transport.abort()
            while not one.task.done():
                one.near.give(b"x" * 1000)
                await asyncio.sleep(0)

    asyncio.run(scenario())


@pytest.mark.parametrize("finished", [True, False])
def test_a_lost_session_breaks_a_connection_unless_its_end_was_announced(finished: bool) -> None:
    async def scenario() -> None:
        async with carried() as one:
            one.near.give(b"all or half")
            if finished:
                one.near.finish()
            await asyncio.to_thread(wait_until, lambda: one.taken == 11)
            one.lost.set_result(None)
            if finished:
                assert await one.reader.read(-1) == b"all or half"
                one.writer.close()
            else:
                with pytest.raises(ConnectionResetError):
                    await one.reader.read(-1)

    asyncio.run(scenario())
