"""One WebSocket of the message gateway: sending on it never raises and never waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import WSMsgType, web

from sm_ssh_entry.wire.message import MAX_FRAME_BYTES

# Below LOW a frame is handed to the kernel without a second thought; above HIGH the sender waits for the peer to read.
_LOW = 128 * 1024
_HIGH = 512 * 1024
# The largest message that is read, which is above the 1 MiB of payload that a frame may have.
MAX_MESSAGE_BYTES = MAX_FRAME_BYTES + 1
# How long an opener may take: the agent's own REST calls have the same limit (protocol page, section 6.1).
OPENER_SECONDS = 15.0
_CLOSE_SECONDS = 2.0
_GONE = (ConnectionError, RuntimeError, OSError)
POLICY_VIOLATION = 1008


class Socket:
    """One accepted WebSocket.

    Args:
        ws: the WebSocket, prepared.
        transport: the connection under it.
        stall: gives the seconds after which a peer that does not read is no longer waited for.
    """

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport, stall: Callable[[], float]) -> None:
        transport.set_write_buffer_limits(high=_HIGH, low=_LOW)
        self._ws = ws
        self._transport = transport
        self._stall = stall

    @classmethod
    async def accept(cls, request: web.Request, stall: Callable[[], float]) -> Socket:
        """Answer the upgrade: no compression, no subprotocol, messages of up to MAX_MESSAGE_BYTES, pings answered."""
        ws = web.WebSocketResponse(
            compress=False, autoping=True, max_msg_size=MAX_MESSAGE_BYTES, timeout=_CLOSE_SECONDS
        )
        await ws.prepare(request)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the peer left during the handshake")
        return cls(ws, transport, stall)

    @property
    def response(self) -> web.StreamResponse:
        """What the request's handler returns in the end."""
        return self._ws

    async def opener(self) -> str | None:
        """Return the first frame; None: it is no text, or none came in time."""
        try:
            first = await self._ws.receive(timeout=OPENER_SECONDS)
        except asyncio.TimeoutError:
            return None
        return str(first.data) if first.type is WSMsgType.TEXT else None

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield binary messages until the socket is closed; texts after the opener mean nothing."""
        async for received in self._ws:
            if received.type is WSMsgType.BINARY:
                yield received.data

    @property
    def ready(self) -> bool:
        """Whether the peer has read nearly all that was sent to it."""
        return self._unsent() <= _LOW

    async def send(self, frame: bytes) -> bool:
        """Send one binary message, waiting while the peer is behind. False: it is gone, or does not read."""
        try:
            if self.ready:
                await self._ws.send_bytes(frame)
            else:
                await asyncio.wait_for(self._ws.send_bytes(frame), self._stall())
        except (asyncio.TimeoutError, *_GONE):
            return False
        return True

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it, by force if the peer does not answer."""
        try:
            closing = self._ws.close(code=code, message=reason.encode(), drain=False)
            await asyncio.wait_for(closing, 2 * _CLOSE_SECONDS)
        except (asyncio.TimeoutError, *_GONE):
            self.abort()
        if self._unsent():
            self.abort()

    def abort(self) -> None:
        """Cut it now."""
        self._transport.abort()

    def _unsent(self) -> int:
        try:
            return self._transport.get_write_buffer_size()
        except AttributeError:
            # asyncio's TLS transport drops what it would have to ask when both sides have closed it.
            return 0
