"""moto behind the plane: everything of AWS that is not ours, started on the first call that needs it.

moto's own WSGI server runs in a thread of this process on a loopback port of its own. It checks no signature, so it
answers only to whoever knows a secret header, that is, to the plane, which has checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import io
import logging
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from sm_ssh_entry.plane import local_role, moto_tables
from sm_ssh_entry.plane.api import AwsError, Caller
from sm_ssh_entry.plane.credentials import Credential
from sm_ssh_entry.plane.store import ACCOUNT

LOG = logging.getLogger("sm_ssh.plane.moto")
_RELAY_HEADER = "X-Sm-Ssh-Relay"
_CHUNK = 1 << 16
# Headers that concern one connection, not the message; Expect was answered by our own listener.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization", "expect")
)
_OWN_TO_SERVER = _HOP_BY_HOP | {"date", "server"}


class MotoBackend:
    """moto's server, and the way to it.

    moto keeps its state in globals of the process: two planes in one process share it. ``stop`` resets it.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_urlsafe(24)
        self._starting = asyncio.Lock()
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._client: aiohttp.ClientSession | None = None

    @property
    def started(self) -> bool:
        """Whether anybody has needed it yet."""
        return self._server is not None

    async def start(self) -> None:
        """Import moto and start its server, once; importing takes about half a second, in a thread."""
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.to_thread(_make_server, self._secret)
                await asyncio.to_thread(local_role.arn, ACCOUNT)
                self._thread = threading.Thread(target=self._server.serve_forever, name="moto", daemon=True)
                self._thread.start()

    async def stop(self) -> None:
        """Stop the server and forget its state."""
        if self._client is not None:
            await self._client.close()
        if self._server is not None and self._thread is not None:
            await asyncio.to_thread(self._server.shutdown)
            await asyncio.to_thread(self._thread.join)
            self._server.server_close()
            await self.reset()
            self._server = None

    async def reset(self) -> None:
        """Forget everything that moto keeps; its records are written to without its server, too."""
        if "moto" in sys.modules:
            await asyncio.to_thread(_reset)

    async def find_key(self, access_key: str) -> Credential | None:
        """Return a key that moto's STS or IAM gave out; None: neither did."""
        return await asyncio.to_thread(_find_key, access_key) if self.started else None

    async def serves(self, operation: str) -> bool:
        """Say whether moto has an SSM operation."""
        await self.start()
        return await asyncio.to_thread(_has_ssm_operation, operation)

    async def relay(self, request: web.Request, body: bytes | None) -> web.StreamResponse:
        """Pass a request on and its answer back, both unchanged.

        Args:
            request: as it came.
            body: its body if it was read already; None: it streams through.

        Raises:
            AwsError: InternalServerError, where moto failed.
        """
        await self.start()
        if self._client is None:
            connector = aiohttp.TCPConnector(limit=64, force_close=True)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
            self._client = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        headers.append((_RELAY_HEADER, self._secret))
        url = URL(f"http://127.0.0.1:{self._server.server_port}{request.raw_path}", encoded=True)
        with contextlib.ExitStack() as files:
            if body is not None:
                source: Any = files.enter_context(io.BytesIO(body))
            elif "Content-Length" in request.headers:
                source = request.content.iter_chunked(_CHUNK)
            else:
                # werkzeug's HTTP/1.0 server must be told a length, and a chunked body has none until it is all here.
                source = files.enter_context(tempfile.TemporaryFile())
                async for chunk in request.content.iter_chunked(_CHUNK):
                    source.write(chunk)
                source.seek(0)
            async with self._client.request(
                request.method,
                url,
                headers=headers,
                data=source,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as answer:
                return await _copy(request, answer)


async def _copy(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    if answer.status >= 500 and answer.content_type == "text/html":
        # werkzeug's page about an exception in moto, NotImplementedError as a rule.
        raise AwsError("InternalServerError", "moto, which serves this operation, failed on it.", 500)
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in _OWN_TO_SERVER:
            response.headers.add(name, value)
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in answer.content.iter_chunked(_CHUNK):
            await response.write(chunk)
    await response.write_eof()
    return response


def _make_server(secret: str) -> Any:
    with moto_tables.IMPORTING:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    key = f"HTTP_{_RELAY_HEADER.upper().replace('-', '_')}"

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = str(environ.pop(key, ""))
        if not hmac.compare_digest(given.encode(), secret.encode()):
            start_response("403 Forbidden", [("Content-Length", "0")])
            return []
        return application(environ, start_response)  # type: ignore[no-any-return]

    class QuietHandler(MotoRequestHandler):  # type: ignore[misc]
        """Says nothing about requests and one line about an exception, instead of its traceback."""

        def send_response(self, code: int, message: str | None = None) -> None:
            # Without http.server's own Server header: moto sends one, and two of them are a malformed answer.
            self.send_response_only(code, message)

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
            if type == "error":
                LOG.error("%s", (message % args).strip().rpartition("\n")[2])

    return make_server("127.0.0.1", 0, guarded, threaded=True, request_handler=QuietHandler)


def _reset() -> None:
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
    local_role.arn(ACCOUNT)


def _has_ssm_operation(operation: str) -> bool:
    from moto.core.utils import camelcase_to_underscores
    from moto.ssm.responses import SimpleSystemManagerResponse

    return hasattr(SimpleSystemManagerResponse, camelcase_to_underscores(operation))


def _find_key(access_key: str) -> Credential | None:
    for account, regions in list(moto_tables.backends("sts").items()):
        for backend in list(regions.values()):
            role = backend.get_assumed_role_from_access_key(access_key)
            if role is not None:
                caller = Caller(access_key, role.arn, role.user_id, account=account)
                expires = role.expiration.timestamp()
                return Credential(caller, role.secret_access_key, role.session_token, expires)
    for account, partitions in list(moto_tables.backends("iam").items()):
        for backend in list(partitions.values()):
            for user in list(backend.users.values()):
                for key in user.get_all_access_keys():
                    if key.access_key_id == access_key and key.status == "Active":
                        return Credential(Caller(access_key, user.arn, user.id, account=account), key.secret_access_key)
    return None
