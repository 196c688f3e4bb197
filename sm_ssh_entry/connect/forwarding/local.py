"""A program's end of one forwarded connection: bytes that wait for it, and how it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable

#: Bytes that are read at once: one smux frame. Small, so that connections take turns in the session.
CHUNK = 16 << 10
#: Seconds that a program may go on speaking after the node's end, before its connection is closed.
LINGER_SECONDS = 5.0
#: Seconds without a byte from the node, after which a program's end of sending is passed on. The official agent closes
#: the whole connection then, so that an answer that is still under way would be lost; and there is no telling a
#: program that has finished sending from one that has gone.
HALF_CLOSED_SECONDS = 5.0


class Local:
    """One accepted connection.

    Args:
        reader: of the connection.
        writer: of the connection.
        taken: called with the number of bytes that the program has been given, or that were dropped.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, taken: Callable[[int], None]
    ) -> None:
        self._reader, self._writer, self._taken = reader, writer, taken
        self._queue: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._finished = False
        self._given = 0

    @property
    def finished(self) -> bool:
        """Whether the node has finished sending."""
        return self._finished

    def give(self, data: bytes) -> None:
        """Queue bytes for the program."""
        self._given += len(data)
        self._queue.append(data)
        self._changed.set()

    def finish(self) -> None:
        """The node sends no more: what is queued is the last."""
        self._finished = True
        self._changed.set()

    async def read(self) -> bytes:
        """Return what the program sends next, ``b""`` at its end.

        Raises:
            OSError: it is gone.
        """
        return await self._reader.read(CHUNK)

    async def deliver(self) -> None:
        """Write what is queued, to the node's end; the program is told of it.

        Raises:
            OSError: the program is gone.
        """
        while True:
            while not self._queue:
                if self._finished:
                    with contextlib.suppress(OSError):
                        self._writer.write_eof()
                    return
                self._changed.clear()
                await self._changed.wait()
            data = self._queue.popleft()
            try:
                self._writer.write(data)
                await self._writer.drain()
            finally:
                self._taken(len(data))

    async def quiet(self, delivery: asyncio.Task[None], seconds: float) -> None:
        """Wait until the delivery is over, or nothing has come from the node for so long."""
        while not delivery.done():
            before = self._given
            await asyncio.wait({delivery}, timeout=seconds)
            if self._given == before and not self._queue:
                return

    async def linger(self) -> None:
        """Read what a program still says after the node's end and drop it: closing at once could destroy the answer."""

        async def drop() -> None:
            while await self._reader.read(CHUNK):
                pass

        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(drop(), LINGER_SECONDS)

    def drop(self) -> None:
        """Forget what is queued."""
        waiting = sum(map(len, self._queue))
        self._queue.clear()
        self._taken(waiting)

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), LINGER_SECONDS)

    def reset(self) -> None:
        """End the connection as a broken one, so that nobody takes half an answer for the whole."""
        reset(self._writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a broken one."""
    found = writer.get_extra_info("socket")
    if found is not None:
        # struct linger {1, 0}: a reset instead of an orderly end. Its members are short on Windows.
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
