"""Peers of the message gateway that do exactly what a test says: a node with its channels, a client, an AWS caller.

They are built on ``wire``'s codecs and real WebSockets, and sign with botocore: nothing of the plane is on this side.
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import json
import ssl
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from websockets.asyncio.client import ClientConnection, connect

from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Activation
from sm_ssh_entry.wire.control import StartSession, TaskComplete
from sm_ssh_entry.wire.message import AgentMessage, MessageType, PayloadType, decode, encode
from sm_ssh_entry.wire.openers import OpenAgentChannel, OpenClientChannel, OpenControlChannel
from sm_ssh_entry.wire.payloads import Acknowledge, ChannelClosed

REGION = "us-east-1"
LIMIT = 120.0


@functools.lru_cache
def aws(plane: PlaneThread, *, tls: bool = False, region: str = REGION) -> Any:
    """Return an SSM client of the plane with the user's key."""
    environment = plane.environment()
    return botocore.session.get_session().create_client(
        "ssm",
        region_name=region,
        endpoint_url=plane.tls_url if tls else plane.url,
        verify=str(plane.ca_file) if tls else None,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def frame(kind: MessageType, payload: bytes, sequence: int = 0, payload_type: int = 0) -> bytes:
    """Return the frame of a message."""
    return encode(AgentMessage(kind, payload, uuid.uuid4(), 1, sequence, 0, payload_type))


def output(data: bytes, sequence: int) -> bytes:
    """Return a stream frame of the agent."""
    return frame(MessageType.OUTPUT_STREAM_DATA, data, sequence, PayloadType.OUTPUT)


def typed(data: bytes, sequence: int) -> bytes:
    """Return a stream frame of the client."""
    return frame(MessageType.INPUT_STREAM_DATA, data, sequence, PayloadType.OUTPUT)


def receipt(received: AgentMessage) -> bytes:
    """Return the acknowledgement of a stream message."""
    ack = Acknowledge(received.message_type, str(received.message_id), received.sequence_number)
    return frame(MessageType.ACKNOWLEDGE, ack.encode())


async def heard(socket: ClientConnection, *kinds: str) -> AgentMessage:
    """Return the next message, of one of these kinds where any are given; others are skipped."""

    async def listen() -> AgentMessage:
        while True:
            received = await socket.recv()
            assert isinstance(received, bytes)
            message = decode(received)
            if not kinds or message.message_type in kinds:
                return message

    return await asyncio.wait_for(listen(), LIMIT)


async def until_closed(socket: ClientConnection) -> None:
    """Wait until the plane has closed a socket."""
    await asyncio.wait_for(socket.wait_closed(), LIMIT)


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: str

    @property
    def token(self) -> str:
        """What stands between the token's tags."""
        return self.body.partition("<TokenValue>")[2].partition("</TokenValue>")[0]


@dataclass
class Node:
    """A managed node with role credentials, registered without the detour over an activation code.

    ``tls``: its sockets go to the encrypted listener, as the official agent does.
    """

    plane: PlaneThread
    node_id: str
    credentials: Credentials
    tls: bool = False
    control: ClientConnection | None = None
    sockets: list[ClientConnection] = field(default_factory=list)

    @classmethod
    def register(cls, plane: PlaneThread, **tags: str) -> Node:
        """Register a node in the plane's state."""

        def make(running: Plane) -> tuple[str, Credentials]:
            activation = Activation("a", "c", REGION, "Role", 0.0, 1e12, tags=tags)
            node = running.store.nodes.register(activation, public_key="k", fingerprint="f", now=running.store.clock())
            issued = running.credentials.issue(node_id=node.node_id, expires_in=3600.0)
            return node.node_id, Credentials(issued.access_key, issued.secret, issued.token)

        return cls(plane, *plane.call(make))

    def post(self, path: str, *, signed: bool = True, body: bytes = b'{"RequestId":"r"}') -> Answer:
        """Send a REST call of the gateway. Blocks."""
        return post(self.plane.url + path, self.headers("POST", path, body) if signed else {}, body)

    def headers(
        self, method: str, path: str, body: bytes = b"", service: str = "ssmmessages", *, url: str = ""
    ) -> dict[str, str]:
        """Return signed headers for a call; ``url``: not to the plain listener but to this one."""
        request = AWSRequest(
            method, (url or self.plane.url) + path, data=body, headers={"Content-Type": "application/json"}
        )
        SigV4Auth(self.credentials, service, REGION).add_auth(request)
        return dict(request.headers.items())

    async def dial(self, path: str, opener: str, *, signed: bool = True) -> ClientConnection:
        """Open a WebSocket and send the first frame."""
        url = self.plane.tls_url if self.tls else self.plane.url
        headers = self.headers("GET", path, url=url) if signed else {}
        trust = ssl.create_default_context(cafile=str(self.plane.ca_file)) if self.tls else None
        place = "ws" + url.removeprefix("http") + path
        socket = await connect(place, additional_headers=headers, max_size=None, max_queue=None, ssl=trust)
        self.sockets.append(socket)
        await socket.send(opener)
        return socket

    async def open_control(self) -> ClientConnection:
        """Open the control channel and wait until the plane holds it."""
        path = f"/v1/control-channel/{self.node_id}"
        answer = await asyncio.to_thread(self.post, path)
        assert answer.status == 201, answer.body
        opener = OpenControlChannel(answer.token, str(uuid.uuid4()), "3.3.0.0").encode()
        before = self._attached()
        self.control = await self.dial(path + "?role=subscribe&stream=input", opener)
        await eventually(lambda: self._attached() not in (None, before))
        return self.control

    async def open_data(self, session_id: str) -> ClientConnection:
        """Open the agent's end of a session."""
        path = f"/v1/data-channel/{session_id}"
        answer = await asyncio.to_thread(self.post, path, body=b'{"RequestId":"r","ClientId":""}')
        assert answer.status == 201, answer.body
        opener = OpenAgentChannel(answer.token, str(uuid.uuid4()), self.node_id).encode()
        return await self.dial(path + "?role=publish_subscribe", opener)

    async def told_to_start(self) -> StartSession:
        """Return the next session that the node is told to start."""
        assert self.control is not None
        return StartSession.decode((await heard(self.control, MessageType.INTERACTIVE_SHELL)).payload)

    async def leave(self) -> None:
        """Close every socket."""
        for socket in self.sockets:
            await socket.close()

    def _attached(self) -> object:
        def look(running: Plane) -> object:
            node = running.store.nodes.get(self.node_id)
            return node.control if node else None

        return self.plane.call(look)


async def open_client(started: dict[str, Any], *, version: str = "1.2.700.0") -> ClientConnection:
    """Open the client's end with what StartSession or ResumeSession said."""
    socket = await connect(started["StreamUrl"], max_size=None, max_queue=None)
    await socket.send(OpenClientChannel(started["TokenValue"], str(uuid.uuid4()), str(uuid.uuid4()), version).encode())
    return socket


@dataclass
class Session:
    """A session that a test has both ends of."""

    node: Node
    started: dict[str, Any]
    _agent: ClientConnection | None = None
    _client: ClientConnection | None = None

    @classmethod
    async def start(
        cls,
        node: Node,
        document: str = "AWS-StartSSHSession",
        *,
        attach: bool = True,
        tls: bool = False,
        **parameters: str,
    ) -> Session:
        """StartSession, over the node's control channel if it has one; then both ends, unless ``attach`` is false."""
        if node.control is None:
            await node.open_control()
        call = aws(node.plane, tls=tls).start_session
        given = {name: [value] for name, value in parameters.items()}
        started = await asyncio.to_thread(call, Target=node.node_id, DocumentName=document, Parameters=given)
        session = cls(node, started)
        if attach:
            await session.reattach_agent()
            await session.attach_client()
        return session

    @property
    def session_id(self) -> str:
        """Its id."""
        return str(self.started["SessionId"])

    @property
    def agent(self) -> ClientConnection:
        """The agent's end."""
        assert self._agent is not None
        return self._agent

    @property
    def client(self) -> ClientConnection:
        """The client's end."""
        assert self._client is not None
        return self._client

    async def reattach_agent(self) -> ClientConnection:
        """Open the agent's end, for the first time or again."""
        self._agent = await self.node.open_data(self.session_id)
        return self._agent

    async def attach_client(self) -> ClientConnection:
        """Open the client's end with the token at hand, and wait until the plane has taken it."""
        self._client = await open_client(self.started)
        await asyncio.wait_for(await self._client.ping(), LIMIT)
        return self._client

    async def resume(self) -> ClientConnection:
        """ResumeSession, and open the client's end again."""
        self.started = await asyncio.to_thread(aws(self.node.plane).resume_session, SessionId=self.session_id)
        return await self.attach_client()

    async def terminate(self) -> None:
        """TerminateSession."""
        await asyncio.to_thread(aws(self.node.plane).terminate_session, SessionId=self.session_id)

    def status(self) -> str:
        """Return what DescribeSessions would say of it."""
        return self.node.plane.call(lambda running: running.store.sessions[self.session_id].status.value)

    async def leave(self) -> None:
        """Close every socket of the session and of its node."""
        if self._client is not None:
            await self._client.close()
        await self.node.leave()


async def eventually(predicate: Any, what: str = "") -> None:
    """Wait until a predicate holds, without blocking the other peers in this loop."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LIMIT
    while not predicate():
        assert loop.time() < deadline, f"not within {LIMIT:g} s: {what or predicate}"
        await asyncio.sleep(0.01)


def post(url: str, headers: dict[str, str], body: bytes) -> Answer:
    """Send a POST and return the answer, whatever its status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=LIMIT)
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode())
    finally:
        connection.close()


def as_json(message: AgentMessage) -> dict[str, Any]:
    """Return the JSON object in a message's payload."""
    found: dict[str, Any] = json.loads(message.payload)
    return found


def turn(plane: PlaneThread, **settings: Any) -> None:
    """Change settings of a running plane."""
    plane.call(lambda running: running.store.settings.__dict__.update(settings))


def closed_output(payload: bytes) -> str:
    """Return what a channel_closed says."""
    return ChannelClosed.decode(payload).output


async def complete(node: Node, session: Session, text: str = "", status: str = "Success") -> None:
    """Have a node's agent report on its control channel that a session is over."""
    assert node.control is not None
    done = TaskComplete(session.session_id, node.node_id, status, text)
    await node.control.send(frame(MessageType.AGENT_TASK_COMPLETE, done.encode()))
