"""A session's two ends: who may come, go and come again, and that nothing is lost by it."""

from __future__ import annotations

import asyncio
import os
import time
import uuid

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.wire.bodies import Role
from sm_ssh_entry.wire.channel import DataChannel
from sm_ssh_entry.wire.events import DataReceived
from sm_ssh_entry.wire.message import MessageType
from sm_ssh_entry.wire.payloads import SessionState
from tests.plane.scripted import (
    LIMIT,
    Node,
    Session,
    eventually,
    frame,
    heard,
    output,
    receipt,
    turn,
    typed,
    until_closed,
)

DATA = MessageType.OUTPUT_STREAM_DATA


@pytest.fixture
def plane(quick_plane: PlaneThread) -> PlaneThread:
    return quick_plane


@pytest.fixture
def node(plane: PlaneThread) -> Node:
    return Node.register(plane)


def test_bytes_pass_untouched_both_ways(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        down, up = output(bytes(range(256)), 0), typed(b"\n", 0)
        await session.agent.send(down)
        await session.client.send(up)
        assert await asyncio.wait_for(session.client.recv(), LIMIT) == down
        assert await asyncio.wait_for(session.agent.recv(), LIMIT) == up
        assert session.status() == "Connected"
        await session.leave()

    asyncio.run(scenario())


def test_what_the_agent_tells_the_service_stays_with_it(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        state = SessionState("Connected", session.session_id).encode()
        await session.agent.send(frame(MessageType.AGENT_SESSION_STATE, state))
        await session.agent.send(output(b"first", 0))
        assert (await heard(session.client)).payload == b"first"
        await session.leave()

    asyncio.run(scenario())


def test_a_client_that_comes_late_misses_nothing_and_the_agent_is_told_to_wait(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node, attach=False)
        agent = await session.reattach_agent()
        for number in range(20):
            await agent.send(output(b"%d" % number, number))
        assert (await heard(agent)).message_type == MessageType.PAUSE_PUBLICATION
        client = await session.attach_client()
        assert [(await heard(client)).payload for _ in range(20)] == [b"%d" % number for number in range(20)]
        assert (await heard(agent)).message_type == MessageType.START_PUBLICATION
        await session.leave()

    asyncio.run(scenario())


def test_an_agent_that_comes_late_misses_nothing(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node, attach=False)
        client = await session.attach_client()
        await client.send(typed(b"early", 0))
        assert session.status() == "Connecting"
        agent = await session.reattach_agent()
        assert (await heard(agent)).payload == b"early"
        await session.leave()

    asyncio.run(scenario())


def test_an_agent_that_lost_the_order_with_its_channel_gets_it_again(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node, attach=False)
        first = await node.told_to_start()
        await node.open_control()
        assert await node.told_to_start() == first
        agent = await session.reattach_agent()
        # It has begun: a third channel brings no third order.
        control = await node.open_control()
        later = await Session.start(node, attach=False)
        assert (await node.told_to_start()).session_id == later.session_id
        assert control is node.control
        await asyncio.wait_for(await agent.ping(), LIMIT)
        await session.leave()

    asyncio.run(scenario())


class End:
    """One end of a session: a wire core that is redialled when its socket is cut."""

    def __init__(self, role: Role) -> None:
        kind = "Standard_Stream" if role is Role.AGENT else ""
        epoch = time.time() - time.monotonic()
        self.core = DataChannel(role, new_id=uuid.uuid4, epoch=epoch, session_type=kind)
        self.received = bytearray()
        self.socket: ClientConnection | None = None

    async def run(self, socket: ClientConnection) -> None:
        """Move frames until the socket is gone."""
        self.socket = socket
        self.core.connected(time.monotonic())
        try:
            while True:
                for out in self.core.frames_to_send():
                    await socket.send(out)
                try:
                    received = await asyncio.wait_for(socket.recv(), 0.05)
                except asyncio.TimeoutError:
                    self.core.tick(time.monotonic())
                    continue
                assert isinstance(received, bytes)
                for event in self.core.receive(received, time.monotonic()):
                    if isinstance(event, DataReceived):
                        self.received += event.data
        except ConnectionClosed:
            return


def test_nothing_is_lost_when_either_end_is_cut_in_the_middle(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        sent = os.urandom(400_000)
        agent, client = End(Role.AGENT), End(Role.CLIENT)
        running = [asyncio.create_task(agent.run(session.agent)), asyncio.create_task(client.run(session.client))]
        agent.core.start_without_handshake(time.monotonic())

        async def feed() -> None:
            for start in range(0, len(sent), 1000):
                await eventually(lambda: agent.core.writable)
                agent.core.send_data(sent[start : start + 1000], time.monotonic())

        feeding = asyncio.create_task(feed())
        for share in (1, 2, 3, 4):
            await eventually(lambda share=share: len(client.received) > share * 60_000)
            session.client.transport.abort()
            await running[1]
            running[1] = asyncio.create_task(client.run(await session.resume()))
            await eventually(lambda share=share: len(client.received) > share * 60_000 + 20_000)
            session.agent.transport.abort()
            await running[0]
            running[0] = asyncio.create_task(agent.run(await session.reattach_agent()))
        await eventually(lambda: len(client.received) == len(sent))
        await feeding
        assert bytes(client.received) == sent
        assert session.status() == "Connected"
        await session.leave()
        await asyncio.gather(*running)

    asyncio.run(scenario())


def test_the_newest_socket_of_an_end_wins(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        before = session.client
        await session.resume()
        await until_closed(before)
        await session.agent.send(output(b"to the newest", 0))
        assert (await heard(session.client)).payload == b"to the newest"
        await session.leave()

    asyncio.run(scenario())


def test_one_ends_trouble_is_not_the_others(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        # No close handshake: the socket is simply gone.
        session.client.transport.abort()
        for number in range(20):
            await session.agent.send(output(b"x" * 1000, number))
        client = await session.resume()
        # What was under way to the socket that is gone was lost with it; the agent sends it again, as it always does.
        await session.agent.send(output(b"again", 0))
        received = await heard(client, DATA)
        await client.send(receipt(received))
        assert (await heard(session.agent, MessageType.ACKNOWLEDGE)).message_type
        await session.leave()

    asyncio.run(scenario())


def test_a_client_that_does_not_read_neither_fills_the_plane_nor_silences_the_agent(
    plane: PlaneThread, node: Node
) -> None:
    turn(plane, session_stall=0.3)

    async def scenario() -> None:
        session = await Session.start(node)
        # The library reads ahead into a queue; stop the transport itself.
        session.client.transport.pause_reading()
        chunk = b"x" * 65536
        for number in range(600):
            await asyncio.wait_for(session.agent.send(output(chunk, number)), LIMIT)
        await asyncio.wait_for(await session.agent.ping(), LIMIT)
        waiting = plane.call(
            lambda running: [
                socket._transport.get_write_buffer_size()
                for socket in running.store.sessions[session.session_id].link._sockets.values()  # type: ignore[union-attr]
            ]
        )
        assert max(waiting) < 1 << 20
        session.client.transport.resume_reading()
        # It reads on: the agent is started again, and what it sends then arrives.
        await heard(session.agent, MessageType.START_PUBLICATION)
        await session.agent.send(output(b"fresh", 600))
        while (await heard(session.client)).payload != b"fresh":
            pass
        await session.leave()

    asyncio.run(scenario())
