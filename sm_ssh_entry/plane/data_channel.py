"""The two data channels of a session, agent's and client's: the sockets and clocks around ``wire.relay``.

One end's trouble never ends the other's handler: what cannot be delivered is dropped, and the peers send it again
(protocol page, section 8). How a session ends is the table of section 10.4.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace

from sm_ssh_entry.plane.control_channel import message, push
from sm_ssh_entry.plane.sessions import Session, Status
from sm_ssh_entry.plane.sockets import Socket
from sm_ssh_entry.plane.store import Store
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import AgentMessage, MessageType
from sm_ssh_entry.wire.payloads import ChannelClosed
from sm_ssh_entry.wire.relay import Relay, Routed, Side

_log = logging.getLogger(__name__)

# How long the peers may take to close their ends once they were told to.
_CLOSE_SECONDS = 3.0
# How often an end that does not read is looked at again.
_LOOK_SECONDS = 1.0
_POLL_SECONDS = 0.1

# What the client's user is told.
AGENT_VANISHED = "The agent's data channel was lost."
AGENT_ABSENT = "The agent did not open its data channel."
CLIENT_VANISHED = "No client was attached any more."
IDLE = "The session timed out due to inactivity."
TOO_LONG = "The session reached its maximum duration."


class SessionLink:
    """The live half of one session.

    Args:
        store: the state.
        session: the session's record.
        order: what tells the agent to start it.
    """

    def __init__(self, store: Store, session: Session, order: AgentMessage) -> None:
        self._store = store
        self._session = session
        self._order = order
        self._agent_heard = False
        self._loop = asyncio.get_running_loop()
        self._relay = Relay(
            session.session_id,
            new_id=uuid.uuid4,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            destination_id=session.node_id,
        )
        self._sockets: dict[Side, Socket] = {}
        # Ends that are attached and do not read: to the relay they are as good as gone.
        self._stalled: set[Side] = set()
        now = self._loop.time()
        self._opened = self._touched = now
        self._missing_since = dict.fromkeys(Side, now)
        self._came: set[Side] = set()
        # When the node was last seen without a control channel while its data channel was missing.
        self._node_lost = float("-inf")
        self._changed = asyncio.Event()
        self._closing = False
        self._ending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._watch()

    async def tell_agent(self) -> bool:
        """Tell the agent to start it, unless it has begun to. False: the node has no control channel.

        Nothing acknowledges this message, and the official agent loses those that it has not read when it dials its
        control channel again, which it does while a burst of sessions keeps it busy.
        """
        return self._agent_heard or await push(self._store, self._session.node_id, self._order)

    def agent_heard(self) -> None:
        """Note that the agent has begun to start it."""
        self._agent_heard = True

    async def serve(self, role: str, socket: Socket) -> None:
        """Be the service on one end until it closes. A newer socket of the same end replaces it."""
        side = Side(role)
        if self._closing or self._session.over:
            await socket.close()
            return
        before = self._sockets.get(side)
        self._sockets[side] = socket
        self._came.add(side)
        if before is not None:
            before.abort()
        self._moved()
        try:
            await self._deliver(self._joined(side))
            take = self._relay.from_agent if side is Side.AGENT else self._relay.from_client
            async for frame in socket.frames():
                self._touched = self._loop.time()
                try:
                    routed = take(frame)
                except RemoteProtocolError as error:
                    _log.debug("< %s of %s: dropped a frame: %s", role, self._session.session_id, error)
                    continue
                for destination, relayed in routed:
                    await self._send(destination, relayed)
        finally:
            if self._sockets.get(side) is socket:
                del self._sockets[side]
                self._missing_since[side] = self._loop.time()
                routed = [] if side in self._stalled else self._left(side)
                self._stalled.discard(side)
                self._moved()
                await self._deliver(routed)

    def end(self, output: str = "") -> None:
        """Begin to close both ends; the client sees ``output``."""
        if self._ending is not None and not self._closing:
            # The agent is done and a client is still waited for: no longer.
            self._ending.cancel()
            self._ending = None
        self._begin(self._end(output, failed=False))

    def completed(self, output: str, *, failed: bool) -> None:
        """Take in the agent's ``agent_task_complete``: what it still sent arrives, then the client is told."""
        self._begin(self._complete(output, failed=failed))

    def abandon(self, details: str) -> None:
        """Let it be over now, without a word to anybody."""
        for task in (self._ending, *self._tasks):
            if task is not None:
                task.cancel()
        for socket in self._sockets.values():
            socket.abort()
        self._over(details, failed=True)

    def _begin(self, ending: Coroutine[None, None, None]) -> None:
        if self._ending is None and not self._session.over:
            self._ending = self._loop.create_task(ending)
        else:
            ending.close()

    async def _complete(self, output: str, *, failed: bool) -> None:
        patience = self._store.settings.session_stall
        # The agent has closed its data channel; what it sent there before is perhaps still under way.
        await self._until(lambda: Side.AGENT not in self._sockets, patience)
        if self._relay.output_waits and Side.CLIENT not in self._sockets:
            # The last output of the session is for a client that is on its way, or on its way back.
            await self._until(lambda: Side.CLIENT in self._sockets, self._store.settings.session_client_grace)
        await self._end(output, failed=failed, agent_knows=True)

    async def _end(self, output: str, *, failed: bool, agent_knows: bool = False) -> None:
        self._closing = True
        self._session.status = Status.TERMINATING
        try:
            if not agent_knows and Side.AGENT not in self._sockets:
                # Either channel will do for the agent: protocol page, section 10.4.
                await push(self._store, self._session.node_id, self._channel_closed(output))
            await self._deliver(self._relay.terminate(output))
            slow = self._store.settings.session_stall
            await self._until(lambda: all(socket.ready for socket in self._sockets.values()), slow)
            await self._until(lambda: not self._sockets, _CLOSE_SECONDS)
            await asyncio.gather(*(socket.close() for socket in list(self._sockets.values())))
        finally:
            self._over(output, failed=failed)

    def _over(self, details: str, *, failed: bool) -> None:
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._session.finish(self._store.clock(), details, failed=failed)
        self._session.link = None
        self._store.tokens.forget(self._session.session_id)

    def _joined(self, side: Side) -> list[Routed]:
        return self._relay.agent_joined() if side is Side.AGENT else self._relay.client_joined()

    def _left(self, side: Side) -> list[Routed]:
        return self._relay.agent_left() if side is Side.AGENT else self._relay.client_left()

    async def _deliver(self, routed: Iterable[Routed]) -> None:
        for side, frame in routed:
            await self._send(side, frame)

    async def _send(self, side: Side, frame: bytes) -> None:
        socket = self._sockets.get(side)
        if socket is None or await socket.send(frame):
            return
        if not socket.ready and self._sockets.get(side) is socket and side not in self._stalled:
            # It does not read. The other end goes on without it; this one gets what it missed when it reads again.
            _log.debug("= %s of %s has stalled", side.value, self._session.session_id)
            self._stalled.add(side)
            self._watch()
            await self._deliver(self._left(side))

    def _moved(self) -> None:
        """Note that an end came or went."""
        self._changed.set()
        if not self._closing:
            if Side.CLIENT not in self._came or Side.AGENT not in self._came:
                self._session.status = Status.CONNECTING
            else:
                attached = Side.CLIENT in self._sockets
                self._session.status = Status.CONNECTED if attached else Status.DISCONNECTED
        self._watch()

    def _watch(self) -> None:
        """End the session if one of its clocks has run out; else look again when the next one may have."""
        if self._timer is not None:
            self._timer.cancel()
        if self._closing or self._ending is not None:
            return
        now = self._loop.time()
        for side in [side for side in self._stalled if self._sockets[side].ready]:
            self._stalled.discard(side)
            task = self._loop.create_task(self._deliver(self._joined(side)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        clocks = self._clocks(now)
        ended = next((output for at, output in clocks if output and at <= now), None)
        if ended is not None:
            self.end(ended)
        else:
            self._timer = self._loop.call_at(min(at for at, _ in clocks), self._watch)

    def _clocks(self, now: float) -> list[tuple[float, str]]:
        """Return when what will end the session, and when merely to look again: an empty text."""
        settings = self._store.settings
        found = [(self._touched + settings.session_idle, IDLE)]
        if settings.session_duration is not None:
            found.append((self._opened + settings.session_duration, TOO_LONG))
        if Side.CLIENT not in self._sockets:
            found.append((self._missing_since[Side.CLIENT] + settings.session_client_grace, CLIENT_VANISHED))
        if Side.AGENT not in self._sockets:
            since = self._missing_since[Side.AGENT]
            absent = AGENT_VANISHED if Side.AGENT in self._came else AGENT_ABSENT
            found.append((since + settings.session_lost_grace, absent))
            node = self._store.nodes.get(self._session.node_id)
            if node is None or node.control is None:
                # Its network is gone, not its session worker. Nobody says when it is back.
                self._node_lost = now
                found.append((now + settings.session_agent_grace, ""))
            elif Side.AGENT in self._came:
                found.append((max(since, self._node_lost) + settings.session_agent_grace, AGENT_VANISHED))
        if self._stalled:
            found.append((now + _LOOK_SECONDS, ""))
        return found

    async def _until(self, predicate: Callable[[], bool], seconds: float) -> None:
        """Wait until a predicate holds, for so long at most."""
        deadline = self._loop.time() + seconds
        while not predicate() and self._loop.time() < deadline:
            self._changed.clear()
            pause = min(_POLL_SECONDS, deadline - self._loop.time())
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except asyncio.TimeoutError:
                continue

    def _channel_closed(self, output: str) -> AgentMessage:
        made = message(MessageType.CHANNEL_CLOSED, b"{}")
        closed = ChannelClosed(
            message_id=str(made.message_id),
            session_id=self._session.session_id,
            output=output,
            destination_id=self._session.node_id,
            created_date=str(made.created_ms),
        )
        return replace(made, payload=closed.encode())
