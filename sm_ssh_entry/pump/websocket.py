"""The connections that a pump runs over, and how one is usually opened. Importing this imports no WebSocket library."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from sm_ssh_entry.pump.errors import DialRefused
from sm_ssh_entry.pump.watch import Pace
from sm_ssh_entry.wire.message import MAX_FRAME_BYTES

if TYPE_CHECKING:
    import ssl

logger = logging.getLogger("sm_ssh_entry.pump")

_PACE = Pace()
#: Frames that the library reads ahead, and bytes that it buffers for writing.
MAX_QUEUED_FRAMES = 64
WRITE_BUFFER_BYTES = 256 * 1024
#: How long a close may take, in seconds.
CLOSE_TIMEOUT = 1.0


class WebSocketLike(Protocol):
    """What is needed of a connection. ``websockets`` has it, and a test writes it in ten lines."""

    async def recv(self) -> str | bytes:
        """Return the next message, or raise when the connection is gone."""

    async def send(self, message: bytes) -> None:
        """Send one message; wait while the buffers are full."""

    async def ping(self) -> Awaitable[Any]:
        """Send a ping; what is returned is done when its answer comes."""

    async def close(self) -> None:
        """Close the connection."""


async def open_websocket(
    url: str,
    opener: str,
    *,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    open_timeout: float = 15.0,
    proxy: bool = True,
    pings: bool = True,
) -> WebSocketLike:
    """Open a websocket and present ``opener``, the first text frame; what a ``dial`` usually ends with.

    Arguments: ``headers`` for the handshake, e.g. a signature; ``tls`` for ``wss`` with other than the system's
    authorities; ``open_timeout`` in seconds; ``proxy``: heed the proxy settings of the environment, which never apply
    to a loopback address; ``pings``: the library itself finds out whether the other side lives. A pump does so, too,
    and without taking for dead what it does not read at the moment.

    Raises OSError, TimeoutError or ``websockets.exceptions.WebSocketException``; DialRefused for an HTTP status that
    will not change by asking again.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    options: dict[str, Any] = {} if tls is None else {"ssl": tls}
    if not proxy or _is_loopback(url):
        options["proxy"] = None
    try:
        socket = await connect(
            url,
            additional_headers=dict(headers or {}),
            compression=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=MAX_QUEUED_FRAMES,
            write_limit=WRITE_BUFFER_BYTES,
            open_timeout=open_timeout,
            ping_interval=_PACE.ping_interval if pings else None,
            ping_timeout=_PACE.ping_timeout if pings else None,
            close_timeout=CLOSE_TIMEOUT,
            user_agent_header=None,
            **options,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if 400 <= status < 500 and status not in {408, 429}:
            raise DialRefused(f"the service refuses the connection: HTTP {status}") from error
        raise
    try:
        await socket.send(opener)
    except BaseException:
        await socket.close()
        raise
    return socket


async def hang_up(socket: WebSocketLike) -> None:
    """Close a connection whose peer may be gone."""
    try:
        await asyncio.wait_for(socket.close(), 2 * CLOSE_TIMEOUT)
    except losses() as error:
        logger.debug("= closing: %s", error)
        _abort(socket)
    except asyncio.CancelledError:
        _abort(socket)
        raise


async def abort(socket: WebSocketLike) -> None:
    """Forget a connection without a word: no network is waited for, and what was not yet written is lost."""
    if not _abort(socket):
        await socket.close()


def _abort(socket: WebSocketLike) -> bool:
    transport = getattr(socket, "transport", None)
    if transport is not None:
        transport.abort()
    return transport is not None


def losses() -> tuple[type[BaseException], ...]:
    """Errors that mean the connection is gone, or was not to be had now."""
    from websockets.exceptions import WebSocketException

    # Python 3.10's asyncio.TimeoutError is not the built-in one, which is an OSError.
    return (OSError, EOFError, asyncio.TimeoutError, WebSocketException)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
