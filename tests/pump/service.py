"""A service on a loopback port: ``wire.relay`` between real websockets, with a line that can be cut."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sm_ssh_entry.pump import Pump, WebSocketLike, open_websocket
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.events import DataReceived, Event, HandshakeCompleted
from sm_ssh_entry.wire.message import MAX_FRAME_BYTES
from sm_ssh_entry.wire.relay import Relay, Routed, Side

TIMEOUT = 120.0


class Service:
    """Relays one session. ``loss`` is the probability that it drops a frame."""

    def __init__(self, *, loss: float = 0.0, seed: int = 0) -> None:
        self.relay = Relay("s-1", new_id=uuid.uuid4, wall_ms=lambda: int(time.time() * 1000))
        self.opened = 0
        self.sockets: dict[Side, ServerConnection] = {}
        self._loss, self._random = loss, random.Random(seed)
        self._server: Server | None = None
        self._port = 0

    async def __aenter__(self) -> Service:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await serve(
            self._handle, "127.0.0.1", self._port, compression=None, max_size=MAX_FRAME_BYTES, close_timeout=0.1
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def cut(self) -> None:
        """Drop all connections without a word and stop listening."""
        server, self._server = self._server, None
        for socket in list(self.sockets.values()):
            socket.transport.abort()
        if server is not None:
            server.close()
            await server.wait_closed()

    async def dial(self, side: Side) -> WebSocketLike:
        return await open_websocket(f"ws://127.0.0.1:{self._port}/", side.value)

    async def terminate(self, output: str) -> None:
        await self._deliver(self.relay.terminate(output))

    async def _handle(self, socket: ServerConnection) -> None:
        side = Side(await socket.recv())
        self.opened += 1
        self.sockets[side] = socket
        take = self.relay.from_agent if side is Side.AGENT else self.relay.from_client
        try:
            await self._deliver(self.relay.agent_joined() if side is Side.AGENT else self.relay.client_joined())
            async for frame in socket:
                assert isinstance(frame, bytes)
                await self._deliver(take(frame))
        except ConnectionClosed:
            pass
        finally:
            if self.sockets.get(side) is socket:
                del self.sockets[side]
                left = self.relay.agent_left if side is Side.AGENT else self.relay.client_left
                await self._deliver(left())

    async def _deliver(self, routed: list[Routed]) -> None:
        for side, frame in routed:
            socket = self.sockets.get(side)
            if socket is not None and self._random.random() >= self._loss:
                try:
                    await socket.send(frame)
                except ConnectionClosed:
                    continue


class End:
    """One end of a session: a pump, what it has said, and what it has received."""

    def __init__(self, service: Service, side: Side, *, redial_for: float = 30.0, **options: Any) -> None:
        options.setdefault("max_payload", 32768)
        self.channel = DataChannel(
            Role(side.value), new_id=uuid.uuid4, epoch=time.time() - time.monotonic(), session_type="Port", **options
        )
        self._service, self._side = service, side
        self.dialled = 0
        self.pump = Pump(self.channel, self._dial, redial_for=redial_for)
        #: While it is shut, events are not taken.
        self.gate = asyncio.Event()
        self.gate.set()
        self.events: list[Event] = []
        self.received = bytearray()
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] = asyncio.create_task(self.pump.run(self.on_event))

    async def _dial(self) -> WebSocketLike:
        self.dialled += 1
        return await self._service.dial(self._side)

    async def on_event(self, event: Event) -> None:
        await self.gate.wait()
        if isinstance(event, DataReceived):
            self.received += event.data
        else:
            self.events.append(event)
        self.changed.set()

    async def until(self, condition: Any) -> None:
        """Wait until a condition of this end's holds; fail if the pump ends before."""

        async def wait() -> None:
            while not condition():
                self.changed.clear()
                changed = asyncio.create_task(self.changed.wait())
                await asyncio.wait({changed, self.task}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if self.task.done() and not condition():
                    self.task.result()
                    raise AssertionError("the pump has ended")

        await asyncio.wait_for(wait(), TIMEOUT)

    async def ended(self) -> None:
        await asyncio.wait_for(self.task, TIMEOUT)

    async def leave(self) -> None:
        await self.pump.close()
        await self.ended()


async def connect(service: Service, **options: Any) -> tuple[End, End]:
    """A client and an agent that have shaken hands."""
    client, agent = End(service, Side.CLIENT, **options), End(service, Side.AGENT, **options)
    await agent.pump.start_handshake()
    for end in (client, agent):
        await end.until(lambda end=end: any(isinstance(event, HandshakeCompleted) for event in end.events))
    return client, agent


async def eventually(condition: Any, what: str) -> None:
    """Wait for something that nobody announces."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.005)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine; fail if it leaves a task of ours behind."""

    async def guarded() -> None:
        await asyncio.wait_for(test(), 2 * TIMEOUT)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        ours = [task for task in left if "Pump." in repr(task.get_coro()) or "Delivery." in repr(task.get_coro())]
        assert not ours, ours

    asyncio.run(guarded())
