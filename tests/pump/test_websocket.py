from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
import trustme
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State

from sm_ssh_entry.pump import DialRefused, open_websocket
from sm_ssh_entry.pump.websocket import hang_up, losses
from sm_ssh_entry.wire.message import MAX_FRAME_BYTES

Handler = Callable[[ServerConnection], Awaitable[None]]


def against(handler: Handler, client: Callable[[str], Awaitable[None]], **options: Any) -> None:
    """Run a client against a server on loopback."""

    async def main() -> None:
        async with serve(handler, "127.0.0.1", 0, **options) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            scheme = "wss" if "ssl" in options else "ws"
            await asyncio.wait_for(client(f"{scheme}://127.0.0.1:{port}/v1/data-channel/s?role=publish_subscribe"), 120)

    asyncio.run(main())


def test_the_opener_is_the_first_frame_and_the_handshake_carries_the_headers() -> None:
    seen: list[object] = []

    async def handler(socket: ServerConnection) -> None:
        seen.append(await socket.recv())
        assert socket.request is not None
        seen.extend((socket.request.path, socket.request.headers["X-Signed"]))
        seen.append("Sec-WebSocket-Extensions" in socket.request.headers)
        await socket.send(b"binary")

    async def client(url: str) -> None:
        socket = await open_websocket(url, '{"TokenValue":"T"}', headers={"X-Signed": "yes"})
        assert await socket.recv() == b"binary"
        await socket.close()

    against(handler, client)
    # No compression is offered: the service knows none.
    assert seen == ['{"TokenValue":"T"}', "/v1/data-channel/s?role=publish_subscribe", "yes", False]


def test_the_largest_frame_passes_and_a_larger_one_ends_the_connection() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(bytes(MAX_FRAME_BYTES))
        await socket.send(bytes(MAX_FRAME_BYTES + 1))
        await socket.wait_closed()

    async def client(url: str) -> None:
        socket = await open_websocket(url, "T")
        assert len(await socket.recv()) == MAX_FRAME_BYTES
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        await hang_up(socket)

    against(handler, client)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (HTTPStatus.FORBIDDEN, DialRefused),
        (HTTPStatus.NOT_FOUND, DialRefused),
        (HTTPStatus.TOO_MANY_REQUESTS, InvalidStatus),
        (HTTPStatus.SERVICE_UNAVAILABLE, InvalidStatus),
    ],
)
def test_a_status_that_will_not_change_is_a_refusal(status: HTTPStatus, expected: type[Exception]) -> None:
    async def handler(socket: ServerConnection) -> None:
        raise AssertionError

    async def client(url: str) -> None:
        with pytest.raises(expected) as caught:
            await open_websocket(url, "T")
        assert isinstance(caught.value, losses()) is (expected is InvalidStatus)

    against(handler, client, process_request=lambda connection, _: connection.respond(status, ""))


def test_tls_is_verified_against_the_given_authority() -> None:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)

    async def handler(socket: ServerConnection) -> None:
        await socket.send(await socket.recv())

    async def client(url: str) -> None:
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        socket = await open_websocket(url, "T", tls=trusting)
        assert await socket.recv() == "T"
        await socket.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await open_websocket(url, "T", tls=ssl.create_default_context())

    against(handler, client, ssl=server_side)


def test_proxy_settings_of_the_environment_are_heeded_except_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()

    async def client(url: str) -> None:
        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readline())
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        for name in ("http_proxy", "ws_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        # This host in a spelling that is not a loopback address.
        other = url.replace("127.0.0.1", "0.0.0.0")
        for direct, proxied in ((url, True), (url.replace("127.0.0.1", "localhost"), True), (other, False)):
            socket = await open_websocket(direct, "T", proxy=proxied)
            await socket.close()
        assert asked == []
        with pytest.raises(losses()):
            await open_websocket(other, "T")
        assert asked[0].startswith(b"CONNECT 0.0.0.0:")
        server.close()

    against(handler, client)


def test_a_connection_that_breaks_before_the_opener_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets: list[ClientConnection] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async def breaking(socket: ClientConnection, _: str) -> None:
        sockets.append(socket)
        raise ConnectionResetError

    async def client(url: str) -> None:
        monkeypatch.setattr(ClientConnection, "send", breaking)
        with pytest.raises(ConnectionResetError):
            await open_websocket(url, "T")
        assert sockets[0].state is State.CLOSED

    against(handler, client)


def test_nobody_listens() -> None:
    async def main() -> None:
        with pytest.raises(losses()):
            await open_websocket("ws://127.0.0.1:1/", "T")

    asyncio.run(main())


def test_hanging_up_on_a_broken_connection_is_quiet() -> None:
    class Broken:
        async def recv(self) -> bytes:
            raise AssertionError

        async def send(self, message: bytes) -> None:
            raise AssertionError

        async def ping(self) -> Awaitable[float]:
            raise AssertionError

        async def close(self) -> None:
            raise ConnectionResetError

    asyncio.run(hang_up(Broken()))


def test_importing_the_pump_imports_no_websocket_library() -> None:
    code = "import sys, sm_ssh_entry.pump; sys.exit('websockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
