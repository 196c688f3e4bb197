"""A bad network between a client and the plane: a reverse proxy that cuts, freezes, loses, doubles and reorders.

It understands WebSocket frames, so that what it loses is a whole message, as a lossy relay loses it; TCP itself would
repair the loss of a packet.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

_DROPPED_HEADERS = {"connection", "upgrade", "transfer-encoding", "keep-alive"}


@dataclass
class Weather:
    """How bad the network is: shares of all binary messages, 0 to 1."""

    loss: float = 0.0
    duplicates: float = 0.0
    reordering: float = 0.0
    down: bool = False


class Relay:
    """A proxy in a thread of its own.

    Args:
        target: ``http://127.0.0.1:PORT`` of the plane.
        seed: makes the losses repeatable.
    """

    def __init__(self, target: str, seed: int = 1) -> None:
        self.weather = Weather()
        self.url = ""
        self.lost = self.doubled = self.swapped = self.passed = 0
        self._target = target
        self._random = random.Random(seed)
        self.asked = self.opened = 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=120)
        self._loop.close()

    def cut(self) -> None:
        """Break every connection and take no new one until ``mend``."""
        self.weather.down = True
        asyncio.run_coroutine_threadsafe(self._break(), self._loop).result(20)

    def freeze(self) -> None:
        """Pass nothing on and answer nothing, and close nothing either, until ``thaw``: a network that went away."""
        asyncio.run_coroutine_threadsafe(self._freeze(), self._loop).result(20)

    def thaw(self) -> None:
        """Go on: what was sent meanwhile arrives, as TCP would bring it."""
        asyncio.run_coroutine_threadsafe(self._thaw(), self._loop).result(20)

    def mend(self) -> None:
        """Take connections again."""
        self.weather.down = False

    async def _start(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._client = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self._break()
        await self._runner.cleanup()
        await self._client.close()

    async def _break(self) -> None:
        for socket in list(self._sockets):
            # No closing handshake: the network is gone, nobody says goodbye.
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()

    async def _freeze(self) -> None:
        self._flowing.clear()
        for transport in self._transports():
            transport.pause_reading()

    async def _thaw(self) -> None:
        self._flowing.set()
        for transport in self._transports():
            transport.resume_reading()

    def _transports(self) -> list[asyncio.Transport]:
        found = [socket._req.transport for socket in self._sockets if socket._req is not None]
        return [one for one in found if isinstance(one, asyncio.Transport) and not one.is_closing()]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        await self._flowing.wait()
        if self.weather.down:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _DROPPED_HEADERS}
        body = await request.read()
        async with self._client.request(
            request.method, self._target + str(request.rel_url), headers=headers, data=body
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _DROPPED_HEADERS}
            kept.pop("Content-Length", None)
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        near = web.WebSocketResponse(max_msg_size=1 << 24, compress=False)
        await near.prepare(request)
        self._sockets.add(near)
        self.opened += 1
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _DROPPED_HEADERS and not name.lower().startswith("sec-websocket")
        }
        try:
            async with self._client.ws_connect(
                self._target + str(request.rel_url), headers=headers, max_msg_size=1 << 24, compress=0
            ) as far:
                up = asyncio.ensure_future(self._copy(near.receive, far.send_bytes, far.send_str))
                down = asyncio.ensure_future(self._copy(far.receive, near.send_bytes, near.send_str))
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
                for task in (up, down):
                    task.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        finally:
            self._sockets.discard(near)
            await near.close()
        return near

    async def _copy(
        self,
        receive: Callable[[], Awaitable[Any]],
        send_bytes: Callable[[bytes], Awaitable[None]],
        send_text: Callable[[str], Awaitable[None]],
    ) -> None:
        held: bytes | None = None
        while True:
            message = await receive()
            await self._flowing.wait()
            if message.type is aiohttp.WSMsgType.TEXT:
                await send_text(message.data)
            elif message.type is not aiohttp.WSMsgType.BINARY:
                return
            elif self._random.random() < self.weather.loss:
                self.lost += 1
            elif held is None and self._random.random() < self.weather.reordering:
                self.swapped += 1
                held = message.data
            else:
                self.passed += len(message.data)
                await send_bytes(message.data)
                if self._random.random() < self.weather.duplicates:
                    self.doubled += 1
                    await send_bytes(message.data)
                if held is not None:
                    await send_bytes(held)
                    held = None
