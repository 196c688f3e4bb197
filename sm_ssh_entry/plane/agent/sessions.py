"""Sessions: one task each, from the message that starts it to the receipt for its end."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable
from typing import Any

from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane.agent import mux, noninteractive, port, shell
from sm_ssh_entry.plane.agent import settings as agent_settings
from sm_ssh_entry.plane.agent.control import Channels, ControlChannel
from sm_ssh_entry.plane.agent.ending import Ending, SessionRefused
from sm_ssh_entry.plane.agent.expansion import InvalidDocument, SessionPlan, session_plan
from sm_ssh_entry.plane.agent.link import FULL_PAYLOAD, OFFICIAL_PAYLOAD, Link
from sm_ssh_entry.plane.agent.processes import Children
from sm_ssh_entry.plane.agent.settings import Settings
from sm_ssh_entry.pump import Pump, PumpError
from sm_ssh_entry.wire import events, versions
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.control import StartSession, TaskComplete
from sm_ssh_entry.wire.handshake import needs_handshake
from sm_ssh_entry.wire.message import MessageType
from sm_ssh_entry.wire.payloads import SessionStatus, SessionType

log = logging.getLogger(__name__)

# Mgs.SessionWorkersLimit of the official agent.
LIMIT = 1000
WINDOW = 64
# A first data channel that cannot be opened is tried for so long.
DIAL_SECONDS = 10.0
# How long the client's last receipts are waited for while none comes, and in all. The official agent waits 2 s, which
# is too short for a client that is just dialling again.
FLUSH_SECONDS = 5.0
LONGEST_FLUSH = 60.0
# Protocol page, section 10.4: how often the end is reported.
COMPLETE_PAUSES = (1.0, 1.0, 1.0)
STOPPED = Ending("Failed", "The agent was stopped.", wanted=False)


class Sessions:
    """The sessions of one node.

    Args:
        control: where the end of a session is reported.
        channels: opens data channels.
        children: starts what runs in sessions.
        settings: how fast to speak.
        node_id: managed node id.
    """

    def __init__(
        self, control: ControlChannel, channels: Channels, children: Children, settings: Settings, node_id: str
    ) -> None:
        self._control = control
        self._channels = channels
        self._children = children
        self._settings = settings
        self._node_id = node_id
        self._open: dict[str, asyncio.Future[Ending]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, request: StartSession) -> None:
        """Start a session; a repetition of the message changes nothing."""
        if request.session_id in self._open:
            log.warning("session %s is open already", request.session_id)
            return
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._open[request.session_id] = ended
        task = asyncio.create_task(self._serve(request, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def terminate(self, session_id: str, output: str) -> None:
        """End a session at the service's word; one that is unknown is over already."""
        ended = self._open.get(session_id)
        if ended is not None and not ended.done():
            ended.set_result(Ending(output=output, announced=False, wanted=False))

    async def close(self) -> None:
        """End all sessions and wait for it."""
        for ended in self._open.values():
            if not ended.done():
                ended.set_result(STOPPED)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, request: StartSession, ended: asyncio.Future[Ending]) -> None:
        session_id = request.session_id
        try:
            ending = await self._run(request, ended)
        except Exception as error:
            # One session's trouble, whatever it is, stays its own.
            log.exception("session %s failed", session_id)
            ending = Ending("Failed", f"the stand-in agent failed: {type(error).__name__}")
        finally:
            del self._open[session_id]
        log.info("session %s: %s%s", session_id, ending.status, f" ({ending.output})" if ending.output else "")
        complete = TaskComplete(session_id, self._node_id, ending.status, ending.output)
        await self._control.deliver(
            MessageType.AGENT_TASK_COMPLETE, complete.encode(), pauses=COMPLETE_PAUSES, also=session_id
        )

    async def _run(self, request: StartSession, ended: asyncio.Future[Ending]) -> Ending:
        if len(self._open) > LIMIT:
            return Ending("Failed", f"more than {LIMIT} sessions are open on this node")
        try:
            plan = session_plan(request.document, request.parameters)
        except InvalidDocument as error:
            return Ending("Failed", str(error))
        owner = request.session_owner or "nobody"
        log.info("session %s: %s for %s", request.session_id, plan.session_type.value, owner)
        conversation = _Conversation(self._channels, self._settings, request.session_id, plan)
        return await conversation.run(self._children, ended)


class _Conversation:
    """One session's data channel and handler."""

    def __init__(self, channels: Channels, settings: Settings, session_id: str, plan: SessionPlan) -> None:
        self._plan = plan
        properties = None if plan.session_type is SessionType.NON_INTERACTIVE_COMMANDS else plan.properties
        self._channel = DataChannel(
            Role.AGENT,
            new_id=uuid.uuid4,
            epoch=time.time() - asyncio.get_running_loop().time(),
            session_id=session_id,
            session_type=plan.session_type.value,
            properties=None if properties is None else dict(properties),
            agent_version=agent_settings.PROTOCOL_VERSION,
            max_payload=OFFICIAL_PAYLOAD if settings.pace else FULL_PAYLOAD,
            window=WINDOW,
        )
        self._pump = Pump(self._channel, lambda: channels.open_data(session_id), dial_for=DIAL_SECONDS)
        self._link = Link(self._pump, pace=settings.pace)
        # Set to None when data may flow, or to why it never will.
        self._agreed: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def run(self, children: Children, ended: asyncio.Future[Ending]) -> Ending:
        """Serve the session.

        Args:
            children: starts what runs in it.
            ended: set from outside to end it.
        """
        pump = asyncio.create_task(self._pump.run(self._take))
        handler = asyncio.create_task(self._handle(children))
        try:
            # asyncio.wait takes futures of other owners as they are: it cancels none of them.
            any_end: set[asyncio.Future[Any]] = {pump, handler, self._ending, ended}
            await asyncio.wait(any_end, return_when=asyncio.FIRST_COMPLETED)
            told = next((future.result() for future in (ended, self._ending) if future.done()), None)
            if told is not None:
                ending = told
            elif handler.done():
                ending = handler.result()
            else:
                await pump
                ending = Ending(announced=False, wanted=False)
            if not pump.done():
                await self._farewell(ending, {pump, ended})
        except PumpError as error:
            ending = Ending("Failed", f"the data channel was lost: {error}")
        finally:
            for task in (handler, pump):
                task.cancel()
            await asyncio.gather(handler, pump, return_exceptions=True)
        return ending

    async def _handle(self, children: Children) -> Ending:
        plan, link = self._plan, self._link
        properties = plan.properties or {}
        await self._pump.send_session_state(SessionStatus.CONNECTED)
        if needs_handshake(plan.session_type.value):
            await self._pump.start_handshake()
            refused = await self._agreed
            if refused is not None:
                return Ending("Failed", refused)
        serving: Awaitable[Ending]
        version = self._channel.peer_version
        if plan.session_type is SessionType.NON_INTERACTIVE_COMMANDS:
            serving = noninteractive.run(link, properties, children)
        elif plan.session_type is not SessionType.PORT:
            serving = shell.run(link, plan.properties, children)
        elif versions.agent_multiplexes(dict(properties), version):
            serving = mux.run(link, properties, keepalive=versions.agent_sends_keepalive(version))
        else:
            serving = port.run(link, properties)
        try:
            return await serving
        except (SessionRefused, SmSshError) as error:
            return Ending("Failed", str(error))

    async def _take(self, event: events.Event) -> None:
        if isinstance(event, events.DataReceived | events.SizeReceived | events.FlagReceived):
            await self._link.deliver(event)
        elif isinstance(event, events.HandshakeCompleted):
            self._agree(None)
        elif isinstance(event, events.HandshakeFailed):
            self._agree(event.reason)
        elif isinstance(event, events.DeadlinePassed):
            self._agree(event.deadline.value)
            self._end(Ending("Failed", event.deadline.value, wanted=False))
        elif isinstance(event, events.ChannelClosed):
            self._end(Ending(output=event.output, announced=False, wanted=False))

    def _agree(self, refused: str | None) -> None:
        if not self._agreed.done():
            self._agreed.set_result(refused)

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _farewell(self, ending: Ending, over: set[asyncio.Future[Any]]) -> None:
        """Wait a little for the last receipts, say that the session terminates, close. Stops waiting once ``over``."""
        if ending.wanted:
            flush = asyncio.create_task(self._flush())
            await asyncio.wait({flush, *over}, return_when=asyncio.FIRST_COMPLETED)
            flush.cancel()
        if ending.announced:
            await self._pump.terminate()
        await self._pump.close()

    async def _flush(self) -> None:
        until = time.monotonic() + LONGEST_FLUSH
        left = self._channel.unacknowledged + 1
        while self._channel.unacknowledged < left and time.monotonic() < until:
            left = self._channel.unacknowledged
            await self._pump.drain(FLUSH_SECONDS)
