"""Many connections in one session (smux).

smux version 1 has no windows: what comes for a program that does not read has to be kept or to stop the session. It
is kept up to smux's own receive pool; then the session is not read, and the others in it wait. ``stalled`` says so
before it comes to that, and ``pool`` gives new connections to other sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from sm_ssh_entry.connect.forwarding import exchange
from sm_ssh_entry.connect.forwarding.local import Local
from sm_ssh_entry.pump import PumpError
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.smux import MAX_STREAMS, KeepaliveTimeout, MuxSession, StreamClosed, StreamData, StreamOpened

#: Bytes that wait for programs above which a session gets no new connection where there is another.
STALLED_BYTES = 1 << 20


class Streams:
    """The connections of one session.

    Args:
        send: sends bytes of the session; waits while its window is full.
        keepalive: send and expect smux keepalive frames; see ``wire.versions``.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[None]], *, keepalive: bool = False) -> None:
        self._send = send
        self._mux = MuxSession(client=True, keepalive=keepalive)
        self._locals: dict[int, Local] = {}
        self._waiting = 0
        self._sending = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def load(self) -> int:
        """How many connections it carries."""
        return len(self._mux.streams)

    @property
    def takes_another(self) -> bool:
        """Whether there is room for one more."""
        return self.load < MAX_STREAMS and not self._lost.done()

    @property
    def stalled(self) -> bool:
        """Whether programs that do not read hold up the others, or soon will."""
        return self._waiting > STALLED_BYTES

    async def receive(self, data: bytes) -> None:
        """Take bytes of the session; returns when there is room for more.

        Raises:
            RemoteProtocolError: they are no smux frames.
        """
        for event in self._mux.receive(data):
            if isinstance(event, StreamOpened):
                raise RemoteProtocolError("the agent opens a connection towards this side")
            if isinstance(event, StreamData):
                self._waiting += len(event.data)
                self._locals[event.stream_id].give(event.data)
            elif isinstance(event, StreamClosed):
                self._locals[event.stream_id].finish()
        while not self._mux.readable and not self._lost.done():
            self._room.clear()
            await self._room.wait()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one accepted connection to its end."""
        stream_id = self._mux.open_stream()
        near = self._locals[stream_id] = Local(reader, writer, self._taken)
        try:
            with contextlib.suppress(PumpError):
                await self.flush()  # A server may be the first to speak.
            await exchange.both_ways(near, _Stream(self, stream_id), self._lost)
        finally:
            del self._locals[stream_id]
            near.drop()
            self._mux.close_stream(stream_id)
            self._flush_soon()  # Not waited for: with the network gone that could take a minute, and Ctrl-C would.

    async def keep_alive(self) -> None:
        """Send keepalive frames where they are on, for ever.

        Raises:
            RemoteProtocolError: the agent's side fell silent.
        """
        while (due := self._mux.next_deadline()) is not None:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if any(isinstance(event, KeepaliveTimeout) for event in self._mux.tick(time.monotonic())):
                raise RemoteProtocolError("the multiplexed stream fell silent")
            await self.flush()

    def closed_by_node(self) -> None:
        """The node has closed the session. ``lose`` breaks the connections whose end it has not announced."""

    def lose(self) -> None:
        """The session is over."""
        if not self._lost.done():
            self._lost.set_result(None)
        self._room.set()
        for task in self._flushes:
            task.cancel()

    async def flush(self) -> None:
        """Send what is ready. Goes on when the caller is cancelled: half a frame would be the end of all streams."""
        await asyncio.shield(self._flush_soon())

    async def send(self, stream_id: int, data: bytes) -> None:
        """Send bytes of one connection."""
        self._mux.send(stream_id, data)
        await self.flush()

    async def finish_stream(self, stream_id: int) -> None:
        """Say that one connection's program sends no more."""
        self._mux.finish_stream(stream_id)
        await self.flush()

    def _flush_soon(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self._flush())
        self._flushes.add(task)
        task.add_done_callback(self._flushed)
        return task

    async def _flush(self) -> None:
        async with self._sending:
            data = self._mux.bytes_to_send()
            if data:
                await self._send(data)

    def _flushed(self, task: asyncio.Task[None]) -> None:
        self._flushes.discard(task)
        if not task.cancelled():
            task.exception()  # Seen by whoever waits, or of no interest to anybody.

    def _taken(self, count: int) -> None:
        self._waiting -= count
        self._mux.consumed(count)
        if self._mux.readable:
            self._room.set()


class _Stream:
    """One of them, as ``exchange`` wants it."""

    def __init__(self, streams: Streams, stream_id: int) -> None:
        self._streams, self._id = streams, stream_id

    async def send(self, data: bytes) -> None:
        """See ``exchange.Far``."""
        await self._streams.send(self._id, data)

    async def finish(self) -> None:
        """See ``exchange.Far``."""
        await self._streams.finish_stream(self._id)
