"""How a session ends, each way, and that nothing is left of it: the other half of the tests of ``data_channel``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.plane import data_channel
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.wire.control import TaskAcknowledge
from sm_ssh_entry.wire.message import MessageType
from sm_ssh_entry.wire.payloads import ChannelClosed
from tests.plane.scripted import (
    Node,
    Session,
    closed_output,
    complete,
    eventually,
    heard,
    output,
    turn,
    until_closed,
)

DATA = MessageType.OUTPUT_STREAM_DATA


@pytest.fixture
def plane(quick_plane: PlaneThread) -> PlaneThread:
    return quick_plane


@pytest.fixture
def node(plane: PlaneThread) -> Node:
    return Node.register(plane)


def test_terminating_tells_both_ends(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        await session.terminate()
        told = [await heard(session.client), await heard(session.agent)]
        assert [message.message_type for message in told] == [MessageType.CHANNEL_CLOSED] * 2
        assert ChannelClosed.decode(told[0].payload).session_id == session.session_id
        await until_closed(session.client)
        await until_closed(session.agent)
        await eventually(lambda: session.status() == "Terminated")
        await session.leave()

    asyncio.run(scenario())


def test_an_agent_that_has_not_come_is_told_on_its_control_channel(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node, attach=False)
        await node.told_to_start()
        await session.terminate()
        assert node.control is not None
        told = await heard(node.control)
        assert told.message_type == MessageType.CHANNEL_CLOSED
        assert ChannelClosed.decode(told.payload).session_id == session.session_id
        await eventually(lambda: session.status() == "Terminated")
        await session.leave()

    asyncio.run(scenario())


def test_when_the_agent_is_done_the_client_gets_all_output_and_then_the_last_word(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        for number in range(50):
            await session.agent.send(output(b"%d" % number, number))
        await complete(node, session, "done here")
        await session.agent.close()
        assert node.control is not None
        acknowledged = await heard(node.control, MessageType.AGENT_TASK_ACKNOWLEDGE)
        assert TaskAcknowledge.decode(acknowledged.payload).task_id == session.session_id
        for number in range(50):
            assert (await heard(session.client)).payload == b"%d" % number
        last = await heard(session.client)
        assert (last.message_type, closed_output(last.payload)) == (MessageType.CHANNEL_CLOSED, "done here")
        await until_closed(session.client)
        await eventually(lambda: session.status() == "Terminated")
        await session.leave()

    asyncio.run(scenario())


def test_the_last_output_waits_for_a_client_that_is_on_its_way_back(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        await session.client.close()
        await eventually(lambda: session.status() == "Disconnected")
        await session.agent.send(output(b"last words", 0))
        await heard(session.agent, MessageType.PAUSE_PUBLICATION)
        await session.agent.close()
        await complete(node, session)
        client = await session.resume()
        assert (await heard(client)).payload == b"last words"
        assert (await heard(client)).message_type == MessageType.CHANNEL_CLOSED
        await session.leave()

    asyncio.run(scenario())


def test_a_failed_task_is_a_failed_session_and_another_nodes_word_counts_for_nothing(
    plane: PlaneThread, node: Node
) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        liar = Node.register(plane)
        await liar.open_control()
        await complete(liar, session, "over")
        assert liar.control is not None
        await heard(liar.control, MessageType.AGENT_TASK_ACKNOWLEDGE)
        assert session.status() == "Connected"
        await complete(node, session, "Forwarding is forbidden.", "Failed")
        await session.agent.close()
        assert closed_output((await heard(session.client)).payload) == "Forwarding is forbidden."
        await eventually(lambda: session.status() == "Failed")
        await session.leave()
        await liar.leave()

    asyncio.run(scenario())


def test_a_session_without_a_client_is_reaped(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        turn(plane, session_client_grace=0.2)
        await session.client.close()
        assert (await heard(session.agent, MessageType.CHANNEL_CLOSED)).message_type
        await until_closed(session.agent)
        await eventually(lambda: session.status() == "Terminated")
        await session.leave()

    asyncio.run(scenario())


def test_a_session_whose_client_never_came_is_reaped(plane: PlaneThread, node: Node) -> None:
    turn(plane, session_client_grace=0.2)

    async def scenario() -> None:
        session = await Session.start(node, attach=False)
        await eventually(lambda: session.status() == "Terminated")
        await session.leave()

    asyncio.run(scenario())


def test_a_client_hears_when_the_agents_end_vanished(plane: PlaneThread, node: Node) -> None:
    turn(plane, session_agent_grace=0.2)

    async def scenario() -> None:
        session = await Session.start(node)
        await session.agent.close()
        assert closed_output((await heard(session.client)).payload) == data_channel.AGENT_VANISHED
        await session.leave()

    asyncio.run(scenario())


def test_while_the_nodes_network_is_gone_its_sessions_wait_longer(plane: PlaneThread, node: Node) -> None:
    turn(plane, session_agent_grace=0.1)

    async def scenario() -> None:
        session = await Session.start(node)
        await node.leave()
        # Several times the grace of an agent whose node is there.
        await asyncio.sleep(0.5)
        assert session.status() == "Connected"
        turn(plane, session_agent_grace=5.0)
        await node.open_control()
        await session.reattach_agent()
        await session.agent.send(output(b"back again", 0))
        assert (await heard(session.client)).payload == b"back again"
        await session.leave()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("setting", "said"),
    [("session_idle", data_channel.IDLE), ("session_duration", data_channel.TOO_LONG)],
)
def test_idle_and_overlong_sessions_end(plane: PlaneThread, node: Node, setting: str, said: str) -> None:
    turn(plane, **{setting: 1.0})

    async def scenario() -> None:
        session = await Session.start(node)
        told = await heard(session.client, MessageType.CHANNEL_CLOSED)
        assert closed_output(told.payload) == said
        await session.leave()

    asyncio.run(scenario())


def test_data_keeps_a_session_from_being_idle(plane: PlaneThread, node: Node) -> None:
    turn(plane, session_idle=1.5)

    async def scenario() -> None:
        session = await Session.start(node)
        for number in range(12):
            await session.agent.send(output(b"tick", number))
            assert (await heard(session.client)).message_type == DATA
            await asyncio.sleep(0.15)
        assert session.status() == "Connected"
        await session.leave()

    asyncio.run(scenario())


def test_a_hundred_sessions_leave_nothing_behind(plane: PlaneThread, node: Node) -> None:
    def left(running: Any) -> tuple[int, int, int]:
        active = sum(not session.over for session in running.store.sessions.values())
        links = sum(session.link is not None for session in running.store.sessions.values())
        return active, links, len(asyncio.all_tasks())

    def sockets() -> int:
        count = 0
        for entry in Path("/proc/self/fd").iterdir():
            try:
                count += str(entry.readlink()).startswith("socket:")
            except OSError:
                continue
        return count

    async def one(number: int) -> None:
        session = await Session.start(node)
        await session.agent.send(output(b"hi", 0))
        assert (await heard(session.client)).payload == b"hi"
        if number % 2:
            await session.terminate()
        else:
            await complete(node, session)
            await session.agent.close()
        await heard(session.client, MessageType.CHANNEL_CLOSED)
        await session.client.close()
        await session.agent.close()

    async def scenario() -> None:
        await node.open_control()
        await one(0)
        await eventually(lambda: plane.call(left)[:2] == (0, 0))
        tasks, open_sockets = plane.call(left)[2], sockets()
        for start in range(0, 100, 20):
            await asyncio.gather(*(one(number) for number in range(start, start + 20)))
        await eventually(lambda: plane.call(left)[:2] == (0, 0))
        # Idle keep-alive connections of the AWS client are counted too: ten at most in its pool.
        await eventually(lambda: plane.call(left)[2] <= tasks + 10)
        await eventually(lambda: sockets() <= open_sockets + 20)
        await node.leave()

    asyncio.run(scenario())


def test_reset_cuts_every_channel(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        await asyncio.to_thread(plane.reset)
        for socket in (session.agent, session.client, node.control):
            assert socket is not None
            await until_closed(socket)
        assert plane.call(lambda running: (len(running.store.sessions), len(running.store.nodes))) == (0, 0)

    asyncio.run(scenario())
