"""The message gateway: a POST gives an agent the token of a channel, a WebSocket at the same address is the channel.

Protocol page, section 6. An agent proves itself by the signature of its node's role credentials, twice, and by the
token; a client has nothing but the token that StartSession or ResumeSession gave it. A node gets its own control
channel and its own sessions' data channels, and no others.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from xml.sax.saxutils import escape

from aiohttp import web

from sm_ssh_entry.plane import control_channel, signature
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.front import message_of, require_allowed
from sm_ssh_entry.plane.sessions import Session
from sm_ssh_entry.plane.sockets import POLICY_VIOLATION, Socket
from sm_ssh_entry.plane.store import Node, Store
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.openers import OpenAgentChannel, OpenControlChannel, decode_data_opener

CONTROL = "/v1/control-channel/{node_id}"
DATA = "/v1/data-channel/{session_id}"
SERVICE = "ssmmessages"
# The agent looks for this text and stops asking for the channel (protocol page, section 6.1).
TERMINATED = "Session is already terminated"
_MAX_BODY = 64 * 1024
_FORBIDDEN = frozenset({"AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"})

_log = logging.getLogger(__name__)
_Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application, store: Store) -> None:
    """Serve the message gateway of a store on an application, and cut its channels when either of them ends."""
    gateway = _Gateway(store)
    app.router.add_post(CONTROL, _answering(gateway.create_control))
    app.router.add_post(DATA, _answering(gateway.create_data))
    app.router.add_get(CONTROL, _answering(gateway.open_control))
    app.router.add_get(DATA, _answering(gateway.open_data))
    store.on_reset.append(lambda: cut_all(store))

    async def stop(_: web.Application) -> None:
        cut_all(store)

    app.on_shutdown.append(stop)


def cut_all(store: Store) -> None:
    """Cut every channel and end every session."""
    for session in list(store.sessions.values()):
        if session.link is not None:
            session.link.abandon("The plane was stopped.")
    for node in store.nodes:
        if node.control is not None:
            node.control.abort()


class _Gateway:
    """The four handlers.

    Args:
        store: the state.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create_control(self, http: web.Request) -> web.Response:
        """CreateControlChannel: 201 with a token for the caller's own node."""
        node = await self._own_node(http, "CreateControlChannel", await _body(http))
        return _token(self._store.tokens.issue("control", node.node_id))

    async def create_data(self, http: web.Request) -> web.Response:
        """CreateDataChannel: 201 with a token for a session on the caller's own node."""
        node = await self._signer(http, "CreateDataChannel", await _body(http))
        session = self._own_session(http, node)
        if session.link is not None:
            session.link.agent_heard()
        return _token(self._store.tokens.issue("agent", session.session_id))

    async def open_control(self, http: web.Request) -> web.StreamResponse:
        """Be a control channel until it closes."""
        _require_upgrade(http)
        node = await self._own_node(http, "OpenControlChannel", b"")
        socket = await Socket.accept(http, lambda: self._store.settings.session_stall)
        try:
            token = OpenControlChannel.decode(await socket.opener() or "").token
        except RemoteProtocolError:
            token = ""
        if not self._store.tokens.redeem("control", node.node_id, token) or self._gone(node):
            await socket.close(POLICY_VIOLATION, "the token does not open this channel")
            return socket.response
        return await _until_closed(socket, control_channel.serve(self._store, node, socket))

    async def open_data(self, http: web.Request) -> web.StreamResponse:
        """Be one end of a data channel until it closes."""
        _require_upgrade(http)
        # Only agents sign; a client is anybody with the right token.
        signed = signature.parse(message_of(http, b"")) is not None
        node = await self._signer(http, "OpenDataChannel", b"") if signed else None
        session = self._store.sessions.get(http.match_info["session_id"])
        if session is None or session.link is None or session.over:
            raise AwsError("ValidationException", TERMINATED)
        socket = await Socket.accept(http, lambda: self._store.settings.session_stall)
        role = await self._role(socket, session, node)
        if not role or session.over:
            await socket.close(POLICY_VIOLATION, "the token does not open this channel")
            return socket.response
        return await _until_closed(socket, session.link.serve(role, socket))

    async def _role(self, socket: Socket, session: Session, node: Node | None) -> str:
        """Return ``agent`` or ``client``, whichever the opener proves; ``""``: neither."""
        try:
            opener = decode_data_opener(await socket.opener() or "")
        except RemoteProtocolError:
            return ""
        role = "client"
        if isinstance(opener, OpenAgentChannel):
            if node is None or not opener.instance_id == node.node_id == session.node_id:
                return ""
            role = "agent"
        return role if self._store.tokens.redeem(role, session.session_id, opener.token) else ""

    async def _signer(self, http: web.Request, operation: str, body: bytes) -> Node:
        message = message_of(http, body)
        signed = signature.parse(message)
        if signed is None:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
        if signed.service != SERVICE:
            raise AwsError("InvalidSignatureException", f"Credential should be scoped to correct service: '{SERVICE}'.")
        credential = signature.authenticate(self._store, message, signed)
        require_allowed(self._store, credential, signed, f"{SERVICE}:{operation}")
        await self._store.faults.strike(operation)
        node = self._store.nodes.get(credential.caller.node_id, signed.region)
        if node is None:
            raise AwsError("AccessDeniedException", "The caller is not a managed node of this Region.")
        return node

    async def _own_node(self, http: web.Request, operation: str, body: bytes) -> Node:
        node = await self._signer(http, operation, body)
        if node.node_id != http.match_info["node_id"]:
            raise AwsError("AccessDeniedException", "A managed node may open its own control channel only.")
        return node

    def _own_session(self, http: web.Request, node: Node) -> Session:
        session = self._store.sessions.get(http.match_info["session_id"])
        if session is None or session.over:
            raise AwsError("ValidationException", TERMINATED)
        if session.node_id != node.node_id:
            raise AwsError("AccessDeniedException", "A managed node may open its own sessions' data channels only.")
        return session

    def _gone(self, node: Node) -> bool:
        return self._store.nodes.get(node.node_id) is not node


async def _until_closed(socket: Socket, serving: Awaitable[None]) -> web.StreamResponse:
    """Serve an open channel. Whatever goes wrong ends this one channel, and nothing else."""
    try:
        await serving
    except Exception:  # noqa: BLE001 - one channel's trouble must not be another's
        _log.exception("a channel of the message gateway failed")
        socket.abort()
    return socket.response


async def _body(http: web.Request) -> bytes:
    if (http.content_length or 0) > _MAX_BODY:
        raise AwsError("ValidationException", "The request is too large.", 413)
    return await http.read()


def _require_upgrade(http: web.Request) -> None:
    if not web.WebSocketResponse().can_prepare(http):
        raise AwsError("ValidationException", "This address takes a POST, or a WebSocket's upgrade.")


def _token(token: str) -> web.Response:
    inner = f"<MessageSchemaVersion>1.0</MessageSchemaVersion><TokenValue>{token}</TokenValue>"
    return web.Response(status=201, text=f"<R>{inner}</R>", content_type="application/xml")


def _answering(serve: _Serve) -> _Serve:
    """Turn errors into answers as the agent expects them: XML whose root names the error."""

    async def answer(http: web.Request) -> web.StreamResponse:
        try:
            return await serve(http)
        except AwsError as error:
            status = 403 if error.code in _FORBIDDEN and error.status == 400 else error.status
            text = f"<{error.code}><Message>{escape(error.message)}</Message></{error.code}>"
            return web.Response(status=status, text=text, content_type="application/xml")
        except web.HTTPException:
            raise
        except ConnectionError:
            # The peer left in the middle; there is nobody to answer.
            return web.Response(status=499)
        except Exception:  # noqa: BLE001 - the plane lives on whatever a handler does
            _log.exception("a channel of the message gateway failed")
            return web.Response(status=500, text="<InternalServerError/>", content_type="application/xml")

    return answer
