"""Forwarding in this process: agents that do not multiplex, and what is refused before anything is started."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sm_ssh_entry.connect import channel
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.forwarding import forward, local, spec
from sm_ssh_entry.connect.forwarding.pool import Pool
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.places import Place
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.wire import versions
from tests.plane.agent.processes import Agent
from tests.waiting import wait_until


@pytest.fixture
def old_agent(node: Agent, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """The stand-in does not multiplex with clients as old as this; then ours may not either."""
    monkeypatch.setattr(channel, "CLIENT_VERSION", "1.1.0")
    monkeypatch.setattr(versions, "client_multiplexes", lambda *_: False)
    return node


def states(ssm: Any, node: Agent, state: str) -> int:
    """How many sessions of a node are Active, or over (History)."""
    found = ssm.describe_sessions(State=state, Filters=[{"key": "Target", "value": node.node_id}])
    return len(found["Sessions"])


async def forwarded(node: Agent, port: int, scenario: Callable[[int, Pool], Awaitable[None]]) -> list[str]:
    """Run a scenario with the local port of a forwarded one and its sessions; return what the user was told."""
    said: list[str] = []
    announced: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    order = forward.Order("node", spec.parse_all([f"0:{port}"]))
    forwarding = forward._Forwarding(
        Access(), Place(Node(node.node_id)), order, lambda ports: announced.set_result(ports[0].port), said.append
    )
    running = asyncio.create_task(forwarding.run())
    tasks: set[asyncio.Future[int]] = {announced, running}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    try:
        await scenario(announced.result(), forwarding.ports[0][1])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return said


def test_agents_that_do_not_multiplex_get_a_session_for_each_connection(old_agent: Agent, ssm: Any) -> None:
    data = hashlib.shake_256(b"each").digest(300_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = int.from_bytes(await reader.readexactly(4), "big")
        writer.write(await reader.readexactly(count))
        await writer.drain()
        writer.close()

    async def ask(port: int, number: int) -> bool:
        part = data[number:]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(len(part).to_bytes(4, "big") + part)
        answer = await reader.read(-1)
        writer.close()
        return answer == part

    async def scenario() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:

            async def three(port: int, _: Pool) -> None:
                assert all(await asyncio.gather(*(ask(port, number) for number in range(3))))
                assert await ask(port, 4)

            assert await forwarded(old_agent, server.sockets[0].getsockname()[1], three) == []

    asyncio.run(scenario())
    wait_until(lambda: states(ssm, old_agent, "Active") == 0, what="no session left")
    assert states(ssm, old_agent, "History") == 4


def test_a_program_that_leaves_ends_its_session(old_agent: Agent, ssm: Any) -> None:
    ended: Counter[str] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await reader.read(-1)
        ended["server"] += 1
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:

            async def leave(port: int, _: Pool) -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert await reader.readexactly(5) == b"hello"
                local.reset(writer)
                await asyncio.to_thread(wait_until, lambda: ended["server"] == 1)
                await asyncio.to_thread(wait_until, lambda: states(ssm, old_agent, "Active") == 0)

            await asyncio.wait_for(forwarded(old_agent, server.sockets[0].getsockname()[1], leave), 120)

    asyncio.run(scenario())


def test_a_slow_reader_leaves_new_connections_usable(node: Agent) -> None:
    data = hashlib.shake_256(b"slow").digest(32 << 20)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"quick" * 10_000 if await reader.read(1) == b"q" else data)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:

            async def slow_and_quick(port: int, pool: Pool) -> None:
                slow = socket.create_connection(("127.0.0.1", port))
                slow.sendall(b"s")
                await asyncio.to_thread(wait_until, lambda: pool.stalled == 1, 30)
                for _ in range(8):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(b"q")
                    assert await asyncio.wait_for(reader.read(-1), 120) == b"quick" * 10_000
                    writer.close()
                assert pool.stalled == 1
                assert pool.sessions == 2
                slow.setblocking(False)
                reader, writer = await asyncio.open_connection(sock=slow)
                found = await asyncio.wait_for(reader.read(-1), 180)
                assert hashlib.sha256(found).digest() == hashlib.sha256(data).digest()
                writer.close()

            assert await forwarded(node, server.sockets[0].getsockname()[1], slow_and_quick) == []

    asyncio.run(scenario())


def test_a_node_behind_another_is_left_to_ssh() -> None:
    order = forward.Order("algo-7.j.training.sagemaker", spec.parse_all(["9000:8888"]))
    with pytest.raises(BadInput, match="only ssh leads there") as raised:
        forward.run(Access(), Place(Node("mi-1"), hop="algo-7"), order, announce=lambda _: None, say=lambda _: None)
    assert "sm-ssh connect algo-7.j.training.sagemaker -N -L 9000:localhost:8888" in raised.value.hint
