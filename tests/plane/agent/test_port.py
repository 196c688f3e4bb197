"""Port sessions with one connection, against real TCP servers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sm_ssh_entry.wire.payloads import SessionFlag
from tests.plane.agent.processes import Agent
from tests.plane.agent.session_client import session

SSH = "AWS-StartSSHSession"
FORWARD = "AWS-StartPortForwardingSession"
REMOTE = "AWS-StartPortForwardingSessionToRemoteHost"
# Too old to multiplex.
OLD = "1.1.60.0"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve on a free port and return it as text."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(one, host, 0)
    try:
        yield str(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def test_bytes_pass_unchanged_both_ways(node: Agent) -> None:
    sent = os.urandom(5 << 20) + b"\n\r\x00\x03\x1c\n"

    async def scenario() -> None:
        async with serving(echo) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
            sending = asyncio.create_task(one.send(sent))
            await one.until(lambda: len(one.stdout) >= len(sent), "everything back")
            await sending
            assert hashlib.sha256(one.stdout).digest() == hashlib.sha256(sent).digest()

    asyncio.run(scenario())


def test_a_single_line_feed_stays_one(node: Agent) -> None:
    async def scenario() -> None:
        async with serving(echo) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
            await one.send(b"\n")
            await one.expect(b"\n")
            assert one.sizes == [1]

    asyncio.run(scenario())


def test_the_servers_end_is_the_sessions_and_its_last_words_arrive(node: Agent) -> None:
    last = os.urandom(3 << 20)

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(last)
        await writer.drain()

    async def scenario() -> None:
        async with serving(talk) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
            assert await one.end() == ""
            assert one.stdout == last

    asyncio.run(scenario())


@pytest.mark.parametrize("flag", [SessionFlag.DISCONNECT_TO_PORT, SessionFlag.TERMINATE_SESSION])
def test_the_clients_flag_closes_the_connection_after_its_data(node: Agent, flag: SessionFlag) -> None:
    async def scenario() -> None:
        received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def take(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            received.set_result(await reader.read(-1))

        async with serving(take) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
            await one.until(lambda: one.ready)
            await one.send(b"x" * 100_000)
            await one.pump.send_flag(flag)
            assert await asyncio.wait_for(received, 120) == b"x" * 100_000
            await one.end()

    asyncio.run(scenario())


def test_forwarding_keeps_its_session_for_the_next_connection(node: Agent) -> None:
    async def scenario() -> None:
        greeted = 0

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal greeted
            greeted += 1
            writer.write(b"hello %d\n" % greeted)
            await reader.read(-1)

        async with (
            serving(greet) as port,
            session(node.ssm, node.node_id, FORWARD, version=OLD, portNumber=port) as one,
        ):
            await one.expect(b"hello 1\n")
            await one.pump.send_flag(SessionFlag.DISCONNECT_TO_PORT)
            await one.expect(b"hello 2\n")

    asyncio.run(scenario())


async def closed_port() -> str:
    async with serving(echo) as port:
        return port


@pytest.mark.parametrize(("document", "flags"), [(SSH, []), (FORWARD, [SessionFlag.CONNECT_TO_PORT_ERROR])])
def test_a_closed_port_ends_the_session_with_the_reason(node: Agent, document: str, flags: list[int]) -> None:
    before = node.worker

    async def scenario() -> None:
        port = await closed_port()
        async with session(node.ssm, node.node_id, document, version=OLD, portNumber=port) as one:
            output = await one.end()
            assert output == f"Connection to destination port failed: port {port}: Connection refused"
            assert one.flags == flags

    asyncio.run(scenario())
    assert node.worker == before


@pytest.mark.parametrize("host", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "169.254.169.253"])
def test_the_nodes_metadata_cannot_be_reached(node: Agent, host: str) -> None:
    async def scenario() -> None:
        async with session(node.ssm, node.node_id, REMOTE, host=host, portNumber="80") as one:
            assert await one.end() == f"Forwarding to IP address {host} is forbidden."

    asyncio.run(scenario())


def test_a_server_that_takes_nothing_does_not_fill_the_memory_and_can_still_be_left(node: Agent) -> None:
    async def scenario() -> None:
        async def ignore(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await asyncio.Event().wait()

        async with serving(ignore) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
            sending = asyncio.create_task(one.send(bytes(64 << 20)))
            await one.until(lambda: one.channel.unacknowledged >= 64, "the window is full")
            # The agent holds what it may and the rest stays on this side.
            await asyncio.to_thread(lambda: node.ssm.terminate_session(SessionId=one.session_id))
            await one.end()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(scenario())
    status = (node_status := f"/proc/{node.worker}/status")
    with open(status, encoding="ascii") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    assert peak < 160_000, node_status
