"""A connection that a test holds in its hands, and pumps that run over such."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from sm_ssh_entry.pump import DialRefused, Pump, WebSocketLike
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.events import Event
from sm_ssh_entry.wire.message import AgentMessage, MessageType, PayloadType, decode, encode


class Wire:
    """A websocket without a network. Put exceptions into ``incoming`` to break it."""

    def __init__(self, *frames: str | bytes | Exception) -> None:
        self.incoming: asyncio.Queue[str | bytes | Exception] = asyncio.Queue()
        for frame in frames:
            self.incoming.put_nowait(frame)
        self.sent: list[bytes] = []
        self.closed = False
        self.pings = 0
        #: Whether pings are answered.
        self.answering = True
        #: Raised by every send.
        self.failing: Exception | None = None
        #: While it is shut, sending takes for ever.
        self.gate = asyncio.Event()
        self.gate.set()

    async def recv(self) -> str | bytes:
        item = await self.incoming.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def send(self, message: bytes) -> None:
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        self.sent.append(message)

    async def ping(self) -> asyncio.Future[float]:
        self.pings += 1
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if self.answering:
            answer.set_result(0.0)
        return answer

    async def close(self) -> None:
        self.closed = True

    def messages(self, kind: MessageType) -> list[AgentMessage]:
        """What was sent, of one kind."""
        return [one for one in map(decode, self.sent) if one.message_type == kind]


def dialling(*results: Wire | Exception) -> Callable[[], Awaitable[WebSocketLike]]:
    """A dial that gives these, one after the other, and then refuses."""
    left = list(results)

    async def dial() -> WebSocketLike:
        if not left:
            raise DialRefused("no more")
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return dial


def make_pump(dial: Callable[[], Awaitable[WebSocketLike]], role: Role = Role.CLIENT, **options: Any) -> Pump:
    of_channel = {key: options.pop(key) for key in list(options) if key in {"window", "max_payload", "session_type"}}
    return Pump(DataChannel(role, new_id=uuid.uuid4, epoch=1e9, **of_channel), dial, **options)


def output(number: int, payload: bytes) -> bytes:
    kind = MessageType.OUTPUT_STREAM_DATA
    return encode(AgentMessage(kind, payload, uuid.uuid4(), 1, number, 0, PayloadType.OUTPUT))


def closed() -> bytes:
    return encode(AgentMessage(MessageType.CHANNEL_CLOSED, b'{"Output":"bye"}', uuid.uuid4(), 1))


def pause() -> bytes:
    return encode(AgentMessage(MessageType.PAUSE_PUBLICATION, b"{}", uuid.uuid4(), 1))


def start() -> bytes:
    return encode(AgentMessage(MessageType.START_PUBLICATION, b"{}", uuid.uuid4(), 1))


def ignore(_: Event) -> None:
    return None
