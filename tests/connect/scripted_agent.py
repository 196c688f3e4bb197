"""The far end of a session as a script: a WebSocket server, and on it wire's agent role."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from sm_ssh_entry.pump import Pump
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.message import AgentMessage, MessageType, encode
from sm_ssh_entry.wire.payloads import ChannelClosed
from tests.waiting import wait_until

Script = Callable[["ScriptedAgent", ev.Event], Awaitable[None]]


class ScriptedAgent:
    """One session's service and agent in one. ``script`` is awaited for every event of the channel.

    Args:
        script: what the agent does.
        greeting: sent once the handshake is complete.
        handshake: whether it begins one at all.
        session_type: ``Port``, or ``Standard_Stream``: then there is no handshake, and the greeting comes by itself.
        present: whether the agent comes; otherwise there is only the service.
    """

    def __init__(
        self,
        script: Script,
        *,
        greeting: bytes = b"",
        handshake: bool = True,
        session_type: str = "Port",
        present: bool = True,
    ) -> None:
        self.url = ""
        self.openers: list[dict[str, Any]] = []
        self.received = bytearray()
        self.flags: list[int] = []
        self._script, self._greeting, self._handshake = script, greeting, handshake
        self._session_type, self._present = session_type, present
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="agent", daemon=True)
        self.sockets: list[ServerConnection] = []

    def __enter__(self) -> ScriptedAgent:
        self._thread.start()
        assert self._ready.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=120)
        self._loop.close()

    # What a script does.

    async def send(self, data: bytes) -> None:
        """Send output."""
        await self.pump.send_data(data)

    def cut(self) -> None:
        """Cut the connection, without a word."""
        self.sockets[-1].transport.abort()

    def freeze(self) -> None:
        """Hear and say nothing over the connections that stand, from any thread: the network went away under them."""
        done = threading.Event()

        def pause() -> None:
            for socket in self.sockets:
                if not socket.transport.is_closing():
                    socket.transport.pause_reading()
                    socket.transport.write = lambda data: None  # type: ignore[method-assign]
            done.set()

        self._loop.call_soon_threadsafe(pause)
        assert done.wait(120)

    async def close(self, output: str = "") -> None:
        """End the session as the service does: channel_closed to the client."""
        payload = ChannelClosed(
            message_id=str(uuid.uuid4()), session_id="s-1", output=output, destination_id="mi-1", created_date="1"
        ).encode()
        message = AgentMessage(MessageType.CHANNEL_CLOSED, payload, uuid.uuid4(), int(time.time() * 1000))
        await self.sockets[-1].send(encode(message))

    # What a test asks.

    def got(self, what: Callable[[ScriptedAgent], Any]) -> None:
        """Wait until something is true of the agent."""
        wait_until(lambda: what(self), what="the agent's script")

    # How it runs.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        self._accepted: asyncio.Queue[ServerConnection] = asyncio.Queue()
        channel = DataChannel(
            Role.AGENT,
            new_id=uuid.uuid4,
            epoch=time.time() - time.monotonic(),
            session_type=self._session_type,
            properties={"portNumber": "2222"},
            max_payload=8192,
        )
        self.pump = Pump(channel, self._accepted.get, redial_for=30.0, dial_for=30.0)
        async with serve(self._accept, "127.0.0.1", 0, compression=None, max_size=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"ws://127.0.0.1:{port}/v1/data-channel/s-1"
            self._ready.set()
            pumping = asyncio.create_task(self.pump.run(self._event))
            await self._stop.wait()
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    async def _accept(self, socket: ServerConnection) -> None:
        opener = await socket.recv()
        self.openers.append(json.loads(opener))
        for old in self.sockets:  # the service knows one connection of a client
            old.transport.abort()
        self.sockets.append(socket)
        first = len(self.sockets) == 1
        if self._present:
            self._accepted.put_nowait(socket)
        if first and self._session_type != "Port":
            if self._greeting:
                await self.send(self._greeting)
        elif first and self._handshake:
            await self.pump.start_handshake()
        await socket.wait_closed()

    async def _event(self, event: ev.Event) -> None:
        if isinstance(event, ev.HandshakeCompleted) and self._greeting:
            await self.send(self._greeting)
        elif isinstance(event, ev.DataReceived):
            self.received += event.data
        elif isinstance(event, ev.FlagReceived):
            self.flags.append(event.value)
        await self._script(self, event)
