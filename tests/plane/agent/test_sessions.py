"""Many sessions: nothing of them is left, all of them work at once, and a cut channel loses nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import Any

import pytest

from sm_ssh_entry.plane.server import Plane
from tests.plane.agent.conftest import NodeMaker
from tests.plane.agent.processes import Agent, children, descriptors
from tests.plane.agent.session_client import session
from tests.plane.agent.test_port import SSH, echo, serving
from tests.waiting import wait_until

COMMAND = "AWS-StartNonInteractiveCommand"


def test_nothing_is_left_of_a_hundred_and_fifty_sessions(node: Agent) -> None:
    worker = node.worker
    # The first of each kind may leave a thread or a cache behind, for good.
    asyncio.run(one_of_each(node))
    wait_until(lambda: not children(worker))
    before = descriptors(worker), descriptors(node.core)
    open_before = node.plane.call(open_sessions)

    async def scenario() -> None:
        for _ in range(10):
            await asyncio.gather(*(one_of_each(node) for _ in range(5)))

    asyncio.run(scenario())
    wait_until(lambda: not children(worker), what="no child")
    wait_until(
        lambda: descriptors(worker) <= before[0] and descriptors(node.core) <= before[1], what="no descriptor more"
    )
    assert children(node.core) == [worker]
    wait_until(lambda: node.plane.call(open_sessions) <= open_before, what="no session of ours open on the plane")


def open_sessions(plane: Plane) -> set[str]:
    return {session_id for session_id, one in plane.store.sessions.items() if one.link is not None}


async def one_of_each(node: Agent) -> None:
    async with serving(echo) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
        await one.send(b"ping")
        await one.expect(b"ping")
    async with session(node.ssm, node.node_id) as shell:
        await shell.send(b"echo hello; exit\n")
        await shell.end()
        assert b"\r\nhello\r\n" in shell.stdout
    async with session(node.ssm, node.node_id, COMMAND, command="echo hi", separateOutputStream="True") as command:
        await command.end()
        assert (bytes(command.stdout), command.exit_code) == (b"hi\n", 0)


def test_fifty_at_once(node: Agent) -> None:
    async def one(port: str, number: int) -> None:
        async with session(node.ssm, node.node_id, SSH, portNumber=port) as client:
            text = b"%d" % number * 20_000
            await client.send(text)
            await client.until(lambda: len(client.stdout) >= len(text), timeout=120)
            assert client.stdout == text

    async def scenario() -> None:
        async with serving(echo) as port:
            await asyncio.gather(*(one(port, number) for number in range(50)))

    asyncio.run(scenario())


def cut_data_channels(plane: Plane) -> int:
    """Abort every data-channel socket of the plane."""
    links: list[Any] = [one.link for one in plane.store.sessions.values() if one.link is not None]
    sockets = [socket for link in links for socket in link._sockets.values()]
    for socket in sockets:
        socket.abort()
    return len(sockets)


def test_cut_data_channels_lose_nothing(node: Agent) -> None:
    sent = os.urandom(24 << 20)

    async def scenario() -> None:
        async with serving(echo) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
            sending = asyncio.create_task(one.send(sent))
            for share in (8, 4, 2):
                await one.until(lambda share=share: len(one.stdout) > len(sent) // share, timeout=120)  # type: ignore[misc]
                assert await asyncio.to_thread(lambda: node.plane.call(cut_data_channels)) > 0
            await one.until(lambda: len(one.stdout) >= len(sent), timeout=120)
            await sending
            assert hashlib.sha256(one.stdout).digest() == hashlib.sha256(sent).digest()

    asyncio.run(scenario())


def test_a_data_channel_that_opens_at_the_second_try(node: Agent) -> None:
    async def scenario() -> None:
        node.plane.call(lambda plane: plane.faults.add("CreateDataChannel", code="Busy", status=503, times=1))
        async with serving(echo) as port, session(node.ssm, node.node_id, SSH, portNumber=port) as one:
            await one.send(b"ping")
            await one.expect(b"ping")

    asyncio.run(scenario())


@pytest.mark.parametrize("version", ["1.2.700.0"])
def test_the_official_pace(new_node: NodeMaker, version: str) -> None:
    agent = new_node(SM_SSH_AGENT_PACE="official")
    agent.register()
    agent.start()
    agent.online()

    async def scenario() -> None:
        line = "head -c 100000 /dev/zero"
        async with session(
            agent.ssm, agent.node_id, COMMAND, version=version, command=line, separateOutputStream="True"
        ) as one:
            await one.end()
            assert len(one.stdout) == 100_000
            assert max(one.sizes) == 1024

    asyncio.run(scenario())


def test_at_full_speed_a_message_carries_32_kib(node: Agent) -> None:
    async def scenario() -> None:
        async with session(
            node.ssm, node.node_id, COMMAND, command="head -c 1000000 /dev/zero", separateOutputStream="False"
        ) as one:
            await one.end()
            assert len(one.stdout) == 1_000_000
            assert max(one.sizes) == 32 * 1024

    asyncio.run(scenario())
