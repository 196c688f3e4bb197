"""Many TCP connections in one session: port forwarding with clients that multiplex (smux, protocol page, section 10.3).

smux version 1 has no windows, so one connection that takes nothing would stop the others. Each has a queue of its own;
while the queues together hold more than smux's receive pool, the session takes no more input.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from sm_ssh_entry.plane.agent import targets
from sm_ssh_entry.plane.agent.ending import Ending
from sm_ssh_entry.plane.agent.link import Link
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.events import DataReceived, FlagReceived
from sm_ssh_entry.wire.payloads import SessionFlag
from sm_ssh_entry.wire.smux import (
    SEND_FRAME_BYTES,
    KeepaliveTimeout,
    MuxEvent,
    MuxSession,
    StreamClosed,
    StreamData,
    StreamOpened,
)

log = logging.getLogger(__name__)

# The official plugin closes a connection both ways at once, ours may still want the answer.
LINGER_SECONDS = 30.0


async def run(link: Link, properties: Mapping[str, Any], *, keepalive: bool) -> Ending:
    """Serve the client's connections until it asks for the end.

    Args:
        link: the session's data channel.
        properties: of the session document: portNumber, host.
        keepalive: send and expect smux keepalive frames.

    Raises:
        SessionRefused: the port is none, or the address is denied.
    """
    port = targets.port_of(properties)
    host = targets.host_of(properties)
    try:
        # Before the first connection, so that a forbidden address fails the session and not a stream of it.
        await targets.resolve(host, port)
    except targets.ConnectFailed as error:
        return Ending("Failed", f"Connection to destination port failed: {error}")
    return await _Forwarding(link, host, port, keepalive=keepalive).run()


class _Stream:
    """One connection: what the client sent and the server has not taken yet."""

    def __init__(self) -> None:
        self.queue: deque[bytes] = deque()
        self.finished = False
        self.answered = 0
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


async def _both(up: asyncio.Task[None], down: asyncio.Task[None], stream: _Stream) -> None:
    """Wait for the server's end. Once the client is done, a server that neither ends nor speaks is not waited for."""
    await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    while not down.done():
        before = stream.answered
        await asyncio.wait({down}, timeout=LINGER_SECONDS)
        if stream.answered == before:
            return


class _Forwarding:
    def __init__(self, link: Link, host: str, port: int, *, keepalive: bool) -> None:
        self._link = link
        self._host, self._port = host, port
        self._mux = MuxSession(client=False, keepalive=keepalive)
        self._streams: dict[int, _Stream] = {}
        self._readable = asyncio.Event()
        self._sending = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()
        self._over = False

    async def run(self) -> Ending:
        timer = asyncio.create_task(self._keep_alive())
        reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait({timer, reader}, return_when=asyncio.FIRST_COMPLETED)
            return reader.result() if reader.done() else timer.result()
        finally:
            # Nobody reads any more: a connection that said its goodbye now would wait for the window for ever.
            self._over = True
            tasks = [timer, reader, *(stream.task for stream in self._streams.values() if stream.task is not None)]
            tasks += self._flushes
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> Ending:
        while True:
            while not self._mux.readable:
                self._readable.clear()
                await self._readable.wait()
            item = await self._link.receive()
            if isinstance(item, FlagReceived) and item.value == SessionFlag.TERMINATE_SESSION:
                return Ending(announced=False, wanted=False)
            if not isinstance(item, DataReceived):
                continue
            try:
                found = self._mux.receive(item.data)
            except RemoteProtocolError as error:
                return Ending("Failed", f"the client's multiplexed stream is malformed: {error}")
            for event in found:
                self._act(event)
            if not self._sending.locked():
                # Input must not wait for output. If somebody is sending, the refusal of a stream too many goes out
                # later.
                await self._flush()

    def _act(self, event: MuxEvent) -> None:
        if isinstance(event, StreamOpened):
            stream = self._streams[event.stream_id] = _Stream()
            stream.task = asyncio.create_task(self._serve(event.stream_id, stream))
        elif isinstance(event, StreamData):
            stream_or_none = self._streams.get(event.stream_id)
            if stream_or_none is None:
                self._consumed(len(event.data))
            else:
                stream_or_none.queue.append(event.data)
                stream_or_none.changed.set()
        elif isinstance(event, StreamClosed) and event.stream_id in self._streams:
            self._streams[event.stream_id].finished = True
            self._streams[event.stream_id].changed.set()

    async def _serve(self, stream_id: int, stream: _Stream) -> None:
        """Be one connection, from its dialling to the end of both directions."""
        try:
            addresses = await targets.resolve(self._host, self._port)
            async with targets.connection(addresses, self._port) as (reader, writer):
                up = asyncio.create_task(self._up(stream, writer))
                down = asyncio.create_task(self._down(stream_id, stream, reader))
                try:
                    await _both(up, down, stream)
                finally:
                    for task in (up, down):
                        task.cancel()
                    await asyncio.gather(up, down, return_exceptions=True)
        except targets.ConnectFailed as error:
            log.info("a forwarded connection failed: %s", error)
            await self._link.pump.send_flag(SessionFlag.CONNECT_TO_PORT_ERROR)
        finally:
            del self._streams[stream_id]
            self._consumed(sum(map(len, stream.queue)))
            self._mux.close_stream(stream_id)
            if not self._over:
                await self._flush()

    async def _down(self, stream_id: int, stream: _Stream, reader: asyncio.StreamReader) -> None:
        """Server to client. A full frame is sent before the next is read: the window's wait is the server's."""
        limit = min(self._link.chunk, SEND_FRAME_BYTES)
        try:
            while data := await reader.read(limit):
                stream.answered += len(data)
                self._mux.send(stream_id, data)
                await self._flush()
        except ConnectionError:
            return

    async def _up(self, stream: _Stream, writer: asyncio.StreamWriter) -> None:
        """Client to server. The client's end closes the server's input only: its answer may still be under way."""
        try:
            while True:
                while not stream.queue:
                    if stream.finished:
                        writer.write_eof()
                        return
                    stream.changed.clear()
                    await stream.changed.wait()
                data = stream.queue.popleft()
                try:
                    writer.write(data)
                    await writer.drain()
                finally:
                    self._consumed(len(data))
        except OSError:
            # The server takes no more. What it still says is read to its end; what still comes is dropped with the
            # stream.
            return

    async def _flush(self) -> None:
        """Send what smux has ready. Goes on when the caller is cancelled: half a frame would be the end of all
        connections.
        """
        task = asyncio.create_task(self._send_ready())
        self._flushes.add(task)
        task.add_done_callback(self._flushed)
        await asyncio.shield(task)

    def _flushed(self, task: asyncio.Task[None]) -> None:
        self._flushes.discard(task)
        if not task.cancelled():
            task.exception()  # Seen by whoever waits, or of no interest to anybody.

    async def _send_ready(self) -> None:
        """Send in order: one at a time, because sending waits for the window."""
        async with self._sending:
            data = self._mux.bytes_to_send()
            for start in range(0, len(data), self._link.chunk):
                await self._link.send(data[start : start + self._link.chunk])

    def _consumed(self, count: int) -> None:
        self._mux.consumed(count)
        if self._mux.readable:
            self._readable.set()

    async def _keep_alive(self) -> Ending:
        while (due := self._mux.next_deadline()) is not None:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if any(isinstance(event, KeepaliveTimeout) for event in self._mux.tick(time.monotonic())):
                return Ending("Failed", "the client's multiplexed stream fell silent")
            await self._flush()
        for_ever: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        return await for_ever
