"""Who gets a token, what opens a channel, and that nothing a peer sends harms anybody else."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from botocore.credentials import Credentials
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Settings
from sm_ssh_entry.wire.message import MAX_PAYLOAD_BYTES, MessageType, decode
from sm_ssh_entry.wire.openers import OpenAgentChannel, OpenClientChannel, OpenControlChannel
from tests.plane.scripted import Node, Session, aws, eventually, frame, heard, output, typed, until_closed


@pytest.fixture(scope="module")
def plane() -> Iterator[PlaneThread]:
    with PlaneThread(settings=Settings(channel_grace=0.0)) as running:
        yield running


@pytest.fixture
def node(plane: PlaneThread) -> Node:
    return Node.register(plane)


def attached(plane: PlaneThread, node: Node) -> bool:
    return plane.call(lambda running: running.store.nodes.require(node.node_id).control is not None)


def test_a_node_gets_the_token_of_its_own_control_channel(node: Node) -> None:
    answer = node.post(f"/v1/control-channel/{node.node_id}")
    assert answer.status == 201
    root = ET.fromstring(answer.body)
    assert {child.tag: child.text for child in root} == {"MessageSchemaVersion": "1.0", "TokenValue": answer.token}
    assert 20 < len(answer.token) <= 300


def test_nobody_else_does(plane: PlaneThread, node: Node) -> None:
    path = f"/v1/control-channel/{node.node_id}"
    other = Node.register(plane)
    user = plane.environment()
    stranger = Node(plane, node.node_id, Credentials(user["AWS_ACCESS_KEY_ID"], user["AWS_SECRET_ACCESS_KEY"]))
    forger = Node(plane, node.node_id, Credentials(node.credentials.access_key, "wrong", node.credentials.token))
    unsigned, foreign, as_user, forged = (
        node.post(path, signed=False),
        other.post(path),
        stranger.post(path),
        forger.post(path),
    )
    assert "<MissingAuthenticationTokenException>" in unsigned.body
    assert "<AccessDeniedException>" in foreign.body
    assert "<AccessDeniedException>" in as_user.body
    assert "<InvalidSignatureException>" in forged.body
    assert all(answer.status >= 400 and not answer.token for answer in (unsigned, foreign, as_user, forged))


def test_a_signature_for_another_service_is_none(node: Node) -> None:
    path = f"/v1/control-channel/{node.node_id}"
    from tests.plane.scripted import post

    answer = post(node.plane.url + path, node.headers("POST", path, b"{}", service="ssm"), b"{}")
    assert answer.status >= 400
    assert "InvalidSignatureException" in answer.body


def test_faults_strike_the_gateway_too(plane: PlaneThread, node: Node) -> None:
    plane.call(lambda running: running.faults.add("CreateControlChannel", code="ThrottlingException", times=1))
    first, second = (node.post(f"/v1/control-channel/{node.node_id}") for _ in range(2))
    assert first.status == 400
    assert "<ThrottlingException>" in first.body
    assert second.status == 201


def test_only_a_sessions_own_node_gets_its_data_channel(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        other = Node.register(plane)
        path = f"/v1/data-channel/{session.session_id}"
        foreign = await asyncio.to_thread(other.post, path)
        assert "<AccessDeniedException>" in foreign.body
        unknown = await asyncio.to_thread(node.post, "/v1/data-channel/nobody-00000000000000000")
        assert "Session is already terminated" in unknown.body
        await session.leave()

    asyncio.run(scenario())


def test_a_terminated_session_says_so(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        await session.terminate()
        await session.leave()
        await eventually(lambda: session.status() == "Terminated")
        answer = await asyncio.to_thread(node.post, f"/v1/data-channel/{session.session_id}")
        assert answer.status >= 400
        assert "Session is already terminated" in answer.body

    asyncio.run(scenario())


def test_a_channel_answers_pings_and_is_not_compressed(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        control = await node.open_control()
        assert control.response is not None
        assert "Sec-WebSocket-Extensions" not in control.response.headers
        await asyncio.wait_for(await control.ping(b"keepalive"), 120)
        assert attached(plane, node)
        await node.leave()
        await eventually(lambda: not attached(plane, node))

    asyncio.run(scenario())


def test_attaching_and_detaching_decide_whether_the_node_is_online(plane: PlaneThread, node: Node) -> None:
    def online() -> str:
        return plane.call(
            lambda running: running.store.nodes.require(node.node_id).ping_status(
                running.store.clock(), running.store.settings
            )
        )

    async def scenario() -> None:
        assert online() == "ConnectionLost"
        await node.open_control()
        assert online() == "Online"
        await node.leave()
        await eventually(lambda: online() == "ConnectionLost")

    asyncio.run(scenario())


def test_the_newest_control_channel_wins(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        first = await node.open_control()
        second = await node.open_control()
        await until_closed(first)
        session = await Session.start(node, attach=False)
        told = await heard(second, MessageType.INTERACTIVE_SHELL)
        assert session.session_id.encode() in told.payload
        assert attached(plane, node)
        await session.leave()

    asyncio.run(scenario())


@pytest.mark.parametrize("opener", ["", "{}", "[]", "not json", '{"TokenValue":5}', "\x00", "x" * 100_000])
def test_a_bad_opener_closes_the_socket(plane: PlaneThread, node: Node, opener: str) -> None:
    async def scenario() -> None:
        socket = await node.dial(f"/v1/control-channel/{node.node_id}", opener)
        await until_closed(socket)
        assert socket.close_code == 1008
        assert not attached(plane, node)

    asyncio.run(scenario())


@pytest.mark.parametrize("tls", [False, True])
def test_a_deregistered_node_loses_its_control_channel(plane: PlaneThread, node: Node, *, tls: bool) -> None:
    """Over TLS too: a transport that was closed from both sides has forgotten how much it had to write."""
    node.tls = tls

    async def work() -> None:
        control = await node.open_control()
        await asyncio.to_thread(aws(plane).deregister_managed_instance, InstanceId=node.node_id)
        await until_closed(control)

    asyncio.run(work())


def test_a_control_token_works_once_and_for_its_node_only(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        path = f"/v1/control-channel/{node.node_id}"
        token = (await asyncio.to_thread(node.post, path)).token
        opener = OpenControlChannel(token, str(uuid.uuid4()), "3.3.0.0").encode()
        other = Node.register(plane)
        crossed = await other.dial(f"/v1/control-channel/{other.node_id}", opener)
        await until_closed(crossed)
        right = await node.dial(path, opener)
        await eventually(lambda: attached(plane, node))
        again = await node.dial(path, opener)
        await until_closed(again)
        assert (crossed.close_code, again.close_code) == (1008, 1008)
        assert attached(plane, node)
        await right.close()
        with pytest.raises(InvalidStatus):
            await node.dial(path, opener, signed=False)

    asyncio.run(scenario())


def test_no_token_of_a_session_opens_the_other_end_or_twice(node: Node) -> None:
    async def refused(socket: ClientConnection) -> bool:
        await until_closed(socket)
        return socket.close_code == 1008

    async def scenario() -> None:
        session = await Session.start(node, attach=False)
        path = f"/v1/data-channel/{session.session_id}"
        agent_token = (await asyncio.to_thread(node.post, path)).token
        client_token = session.started["TokenValue"]
        rid = str(uuid.uuid4())
        as_client = OpenClientChannel(agent_token, rid, rid, "1.2.0.0").encode()
        as_agent = OpenAgentChannel(client_token, rid, node.node_id).encode()
        agent_opener = OpenAgentChannel(agent_token, rid, node.node_id).encode()
        assert await refused(await node.dial(path, as_client))
        assert await refused(await node.dial(path, as_agent))
        # The right token, and no signature of the node's with it; or another node's name.
        assert await refused(await node.dial(path, agent_opener, signed=False))
        stranger = OpenAgentChannel(agent_token, rid, "mi-00000000000000000").encode()
        assert await refused(await node.dial(path, stranger))
        right = await node.dial(path, agent_opener)
        assert await refused(await node.dial(path, agent_opener))
        await asyncio.wait_for(await right.ping(), 120)
        await session.leave()

    asyncio.run(scenario())


def test_a_plain_get_is_told_what_the_address_takes(plane: PlaneThread) -> None:
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(plane.url + "/v1/data-channel/x")
    caught.value.close()
    assert caught.value.code == 400


def test_a_frame_of_one_mebibyte_passes_and_a_larger_one_ends_its_own_socket_only(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        await session.agent.send(output(b"x" * MAX_PAYLOAD_BYTES, 0))
        assert len((await heard(session.client)).payload) == MAX_PAYLOAD_BYTES
        await session.agent.send(b"x" * (MAX_PAYLOAD_BYTES + 4096))
        await until_closed(session.agent)
        assert session.agent.close_code == 1009
        await session.reattach_agent()
        await session.agent.send(output(b"y", 1))
        assert (await heard(session.client, MessageType.OUTPUT_STREAM_DATA)).payload == b"y"
        await session.leave()

    asyncio.run(scenario())


def test_malformed_frames_harm_nobody(plane: PlaneThread, node: Node, caplog: pytest.LogCaptureFixture) -> None:
    """The invariant: whatever bytes come on any channel, the plane goes on, and every other session carries data."""
    dice = random.Random(20)

    def nonsense() -> bytes | str:
        kind = dice.randrange(5)
        if kind == 0:
            return dice.randbytes(dice.choice([0, 1, 4, 115, 116, 120, 500]))
        if kind == 1:
            return dice.choice(["", "{}", "text after the opener"])
        valid = bytearray(
            frame(dice.choice(list(MessageType)), dice.choice([b"{}", b"[]", b"\xff", b'{"jobId":1}', b"x" * 40]))
        )
        if kind == 2:
            return bytes(valid)
        if kind == 3:
            return bytes(valid[: dice.randrange(len(valid))])
        for _ in range(dice.randrange(1, 6)):
            valid[dice.randrange(len(valid))] = dice.randrange(256)
        return bytes(valid)

    async def scenario() -> None:
        other = Node.register(plane)
        quiet = await Session.start(other)
        session = await Session.start(node)
        assert node.control is not None
        for number in range(60):
            for socket in (node.control, session.agent, session.client):
                try:
                    await socket.send(nonsense())
                except ConnectionClosed:
                    pytest.fail("a malformed frame closed a channel")
            await quiet.agent.send(output(b"%d" % number, number))
            assert (await heard(quiet.client)).payload == b"%d" % number
        # The session that got all of it still works, too.
        await session.agent.send(output(b"alive", 0))
        while (await heard(session.client)).payload != b"alive":
            pass
        await session.client.send(typed(b"and back", 7))
        while (await heard(session.agent)).payload != b"and back":
            pass
        assert attached(plane, node)
        await session.leave()
        await quiet.leave()

    asyncio.run(scenario())
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


def test_a_client_cannot_speak_to_the_agent_as_the_service(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node)
        for kind in (MessageType.CHANNEL_CLOSED, MessageType.INTERACTIVE_SHELL, MessageType.PAUSE_PUBLICATION):
            await session.client.send(frame(kind, b"{}"))
        await session.client.send(typed(b"only this", 0))
        received = await session.agent.recv()
        assert isinstance(received, bytes)
        assert decode(received).payload == b"only this"
        await session.leave()

    asyncio.run(scenario())


def test_both_listeners_serve_channels(plane: PlaneThread, node: Node) -> None:
    import ssl

    trust = ssl.create_default_context(cafile=str(plane.ca_file))

    async def scenario() -> None:
        session = await Session.start(node, attach=False, tls=True)
        assert session.started["StreamUrl"].startswith("wss" + plane.tls_url[5:] + "/v1/data-channel/")
        agent = await node.open_data(session.session_id)
        client = await connect(session.started["StreamUrl"], ssl=trust)
        rid = str(uuid.uuid4())
        await client.send(OpenClientChannel(session.started["TokenValue"], rid, rid, "1.2.0.0").encode())
        await agent.send(output(b"over tls", 0))
        assert (await heard(client)).payload == b"over tls"
        await client.close()
        await session.leave()

    asyncio.run(scenario())
