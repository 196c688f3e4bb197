"""The control channel: opened again and again, one message in, one message out, and receipts for what must arrive."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from sm_ssh_entry.plane.agent import backoff, service, settings
from sm_ssh_entry.plane.agent.calls import Caller
from sm_ssh_entry.plane.agent.credentials import Keeper
from sm_ssh_entry.plane.agent.service import CallError, Service
from sm_ssh_entry.pump import DialRefused, WebSocketLike, open_websocket
from sm_ssh_entry.wire import message as wire
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import AgentMessage, MessageType
from sm_ssh_entry.wire.openers import OpenAgentChannel, OpenControlChannel

log = logging.getLogger(__name__)

# A channel that held so long was a good one: the next loss starts with short delays again.
STEADY_SECONDS = 5.0
# What the service says of a data channel that need not be opened again (protocol page, section 6.1).
SESSION_OVER = "Session is already terminated"


class Channels:
    """Opens the node's channels.

    Args:
        service: the service.
        caller: runs blocking calls.
        keeper: role credentials.
        node_id: managed node id.
    """

    def __init__(self, service_: Service, caller: Caller, keeper: Keeper, node_id: str) -> None:
        self._service = service_
        self._call = caller
        self._keeper = keeper
        self._node_id = node_id

    async def open_control(self) -> WebSocketLike:
        """Open the control channel and present its token.

        Raises:
            CallError: the service refused or did not answer.
        """

        def opener(token: str) -> str:
            return OpenControlChannel(token, str(uuid.uuid4()), settings.PROTOCOL_VERSION).encode()

        return await self._open("control-channel", self._node_id, opener)

    async def open_data(self, session_id: str) -> WebSocketLike:
        """Open a session's data channel and present its token.

        Raises:
            DialRefused: the service says that the session is over.
            OSError: anything else, which another try may mend.
        """

        def opener(token: str) -> str:
            return OpenAgentChannel(token, str(uuid.uuid4()), self._node_id).encode()

        try:
            return await self._open("data-channel", session_id, opener)
        except CallError as error:
            if SESSION_OVER in error.message:
                raise DialRefused(error.message) from error
            raise ConnectionError(str(error)) from error

    async def _open(self, kind: str, name: str, opener: Callable[[str], str]) -> WebSocketLike:
        from websockets.exceptions import WebSocketException

        credentials = await self._keeper.get()
        try:
            token = await self._call(self._service.channel_token, credentials, kind, name)
            url, headers = self._service.channel_address(credentials, kind, name)
            tls = await self._call(service.tls) if url.startswith("wss:") else None
            # No proxy, as for the other calls: this agent's service is on the same machine.
            return await open_websocket(url, opener(token), headers=headers, tls=tls, proxy=False)
        except CallError as error:
            if error.code.startswith("HTTP 4"):
                self._keeper.renew()
            raise
        except DialRefused as error:
            # The gateway checks the signature here, too: new credentials may be all that is missing.
            self._keeper.renew()
            raise CallError(f"opening the {kind}", "HTTP 4xx", str(error)) from error
        except (OSError, WebSocketException, asyncio.TimeoutError) as error:
            raise CallError(f"opening the {kind}", "", f"{type(error).__name__}: {error}") from error


class ControlChannel:
    """The node's control channel, whether it is open at the moment or not.

    Args:
        open_channel: opens it once.
        receive: called with each message that is not a receipt. It must not raise.
        receipt_of: reads a receipt: the keys it settles, or None if the message is not a receipt.
    """

    def __init__(
        self,
        open_channel: Callable[[], Any],
        receive: Callable[[AgentMessage], None],
        receipt_of: Callable[[AgentMessage], tuple[str, ...] | None],
    ) -> None:
        self._open_channel = open_channel
        self._receive = receive
        self._receipt_of = receipt_of
        self._socket: WebSocketLike | None = None
        self._open = asyncio.Event()
        self._awaited: dict[str, asyncio.Event] = {}

    async def run(self) -> None:
        """Open, serve, open again, for ever."""
        delays = backoff.reconnect_delays()
        while True:
            started = time.monotonic()
            try:
                async with self._connected() as socket:
                    log.info("control channel open")
                    await self._serve(socket)
                log.info("control channel closed by the service")
            except CallError as error:
                log.warning("no control channel: %s", error)
            if time.monotonic() - started > STEADY_SECONDS:
                delays = backoff.reconnect_delays()
            await asyncio.sleep(next(delays))

    async def send(self, message_type: MessageType, payload: bytes, message_id: uuid.UUID | None = None) -> uuid.UUID:
        """Send one message, as soon as the channel is open; return its id.

        Args:
            message_type: its type.
            payload: its payload.
            message_id: an id to use again; None: a new one.
        """
        from websockets.exceptions import ConnectionClosed

        message = AgentMessage(message_type, payload, message_id or uuid.uuid4(), int(time.time() * 1000))
        frame = wire.encode(message)
        while True:
            await self._open.wait()
            socket = self._socket
            if socket is None:
                continue
            try:
                await socket.send(frame)
            except ConnectionClosed:
                # Whoever serves this channel will notice as well; until then there is nothing to send on.
                if self._socket is socket:
                    self._forget()
                continue
            log.debug("> %s", message)
            return message.message_id

    async def deliver(
        self, message_type: MessageType, payload: bytes, *, pauses: Iterable[float], also: str = ""
    ) -> bool:
        """Send a message until its receipt comes.

        Args:
            message_type: its type.
            payload: its payload.
            pauses: seconds to wait for the receipt after each sending; their end is the end of the tries.
            also: another key that its receipt may name instead of the message's id.

        Returns:
            Whether the receipt came.
        """
        message_id = uuid.uuid4()
        received = asyncio.Event()
        keys = (str(message_id), *([also] if also else []))
        self._awaited.update(dict.fromkeys(keys, received))
        try:
            for pause in pauses:
                await self.send(message_type, payload, message_id)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(received.wait(), pause)
                    return True
            return False
        finally:
            for key in keys:
                if self._awaited.get(key) is received:
                    del self._awaited[key]

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[WebSocketLike]:
        socket: WebSocketLike = await self._open_channel()
        self._socket = socket
        self._open.set()
        try:
            yield socket
        finally:
            if self._socket is socket:
                self._forget()
            await socket.close()

    def _forget(self) -> None:
        self._socket = None
        self._open.clear()

    async def _serve(self, socket: WebSocketLike) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = await socket.recv()
                if isinstance(frame, bytes):
                    self._take(frame)

    def _take(self, frame: bytes) -> None:
        try:
            message = wire.decode(frame)
            log.debug("< %s", message)
            receipt = self._receipt_of(message)
        except RemoteProtocolError as error:
            log.warning("dropped a message of the control channel: %s", error)
            return
        if receipt is None:
            self._receive(message)
            return
        for key in receipt:
            if key in self._awaited:
                self._awaited[key].set()
