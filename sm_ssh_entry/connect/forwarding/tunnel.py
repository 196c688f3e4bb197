"""One port session of a forwarded port, from its start to its end, resumed after each loss of the network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from sm_ssh_entry.connect import channel, opening
from sm_ssh_entry.connect.forwarding.single import Single
from sm_ssh_entry.connect.forwarding.streams import Streams
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import SessionFailed, SmSshError
from sm_ssh_entry.pump import Pump, PumpError, WebSocketLike
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire import versions
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.payloads import SessionFlag

_CLOSING_SECONDS = 0.5


class Tunnel:
    """One session, and the connections in it.

    Args:
        ticket: the session.
        client: makes an SSM client, for ResumeSession and TerminateSession.
        say: takes one line for the user.
        refused: called when the node could not connect to the port.
        size: bytes of the stream in one message.
    """

    def __init__(
        self,
        ticket: Ticket,
        client: Callable[[], Any],
        *,
        say: Callable[[str], None],
        refused: Callable[[], None],
        size: int = opening.DEFAULT_PAYLOAD_BYTES,
    ) -> None:
        self.carrier: Streams | Single | None = None
        #: Why it is over, for people; ``""``: it is not, or there is nothing to say.
        self.reason = ""
        self._id, self._node_id = ticket.session_id, ticket.node_id
        self._client, self._say, self._refused = client, say, refused
        self._dialer = channel.Dialer(ticket, client)
        stream = channel.client_channel(max_payload=size, hold_input_until_first_output=True)
        self._pump = Pump(stream, self._dial, redial_for=channel.REDIAL_SECONDS)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._dialled = self._lost = self._closed = self._ending = False

    @property
    def is_over(self) -> bool:
        """Whether it carries nothing any more."""
        return self._ending or self._running is None or self._running.done()

    async def open(self, over: Callable[[Tunnel], None], *, settle: float = 0.0) -> None:
        """Bring it to life.

        Args:
            over: called once when it ends by itself after that.
            settle: seconds for which it has to live.

        Raises:
            SessionFailed: it did not come to life; nothing of it is left.
        """
        running = self._running = asyncio.create_task(self._run())
        try:
            await asyncio.wait({running, self._ready}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({running}, timeout=settle)
        except asyncio.CancelledError:
            await self.end()
            raise
        if running.done() or not self._ready.done():
            await self.end()
            raise SessionFailed(
                f"the session to {self._node_id} did not start: {self.reason or 'it was closed at once'}"
            )
        running.add_done_callback(lambda _: None if self._ending else over(self))

    async def end(self) -> None:
        """End it, and leave nothing behind on the node."""
        if self._ending:
            return
        self._ending = True
        running = self._running
        if running is not None and not running.done():
            with contextlib.suppress(Exception):
                await self._pump.terminate()
            await asyncio.wait({running}, timeout=_CLOSING_SECONDS)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if not self._closed and not self._dialer.over:
            with contextlib.suppress(SmSshError):
                await asyncio.to_thread(lambda: opening.terminate(self._client(), self._id))

    async def _run(self) -> None:
        try:
            await self._pump.run(self._take)
        except PumpError as error:
            cause = error.__cause__ or error
            self.reason = self.reason or f"it broke and could not be resumed: {cause or type(cause).__name__}"
        except (SmSshError, RemoteProtocolError) as error:
            self.reason = self.reason or str(error)
        finally:
            if self._keeping is not None:
                self._keeping.cancel()
            if self.carrier is not None:
                self.carrier.lose()

    async def _dial(self) -> WebSocketLike:
        again, self._dialled = self._dialled, True
        if again and not self._lost and not self._ending:
            self._lost = True
            self._say(f"the connection to {self._node_id} is lost, resuming")
        socket = await self._dialer.dial()
        if self._lost:
            self._lost = False
            self._say(f"resumed the connection to {self._node_id}")
        return socket

    async def _take(self, event: ev.Event) -> None:
        """Act on what the channel tells."""
        if isinstance(event, ev.DataReceived):
            if self.carrier is not None:
                await self.carrier.receive(event.data)
        elif isinstance(event, ev.HandshakeStarted):
            self._choose(event)
        elif isinstance(event, ev.HandshakeCompleted):
            await self._begin(event)
        elif isinstance(event, ev.FlagReceived):
            if event.value == SessionFlag.CONNECT_TO_PORT_ERROR:
                self._refused()
        elif isinstance(event, ev.ChannelClosed):
            self._closed = True
            self.reason = " ".join(event.output.split())
            if self.carrier is not None:
                self.carrier.closed_by_node()
        elif isinstance(event, ev.HandshakeFailed):
            await self._fail(f"the agent demands what a port session does not have: {event.reason}")
        elif isinstance(event, ev.HandshakeSkipped):
            await self._fail("this is no port session")
        elif isinstance(event, ev.DeadlinePassed):
            await self._fail(f"the agent of {self._node_id} is silent: {event.deadline.value}")

    def _choose(self, event: ev.HandshakeStarted) -> None:
        if versions.client_multiplexes(event.properties, event.agent_version):
            keepalive = versions.client_sends_keepalive(event.agent_version)
            self.carrier = Streams(self._pump.send_data, keepalive=keepalive)
        else:
            self.carrier = Single(self._pump.send_data, self.end)

    async def _begin(self, event: ev.HandshakeCompleted) -> None:
        if event.message:
            self._say(event.message)
        if self.carrier is not None and not self._ready.done():
            self._ready.set_result(None)
            self._keeping = asyncio.create_task(self._keep_alive(self.carrier))

    async def _keep_alive(self, carrier: Streams | Single) -> None:
        try:
            await carrier.keep_alive()
        except PumpError:
            return
        except RemoteProtocolError as error:
            await self._fail(str(error))

    async def _fail(self, reason: str) -> None:
        self.reason = self.reason or reason
        await self._pump.close(flush_for=0)
