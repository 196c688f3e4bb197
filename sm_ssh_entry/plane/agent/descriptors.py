"""Reading and writing a pipe's or a terminal's descriptor under the event loop, with no buffer in between.

asyncio's own pipe transports read ahead without being asked, treat the end of a terminal (EIO) as a failure, and in
some releases keep ``process.wait()`` from returning while a grandchild holds a pipe open. Sessions need none of that.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable


class Descriptor:
    """Owns one descriptor and makes it non-blocking.

    Args:
        number: the descriptor; closed by :meth:`close`.
    """

    def __init__(self, number: int) -> None:
        os.set_blocking(number, False)
        self._number = number
        self._finishing = False
        self._waiting: set[asyncio.Future[None]] = set()

    def fileno(self) -> int:
        """Return the number; -1 once closed."""
        return self._number

    async def read(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes as soon as any are there; ``b""`` at the end, or when a terminal has no user."""
        while self._number >= 0:
            try:
                return os.read(self._number, limit)
            except BlockingIOError:
                if self._finishing:
                    return b""
                loop = asyncio.get_running_loop()
                await self._ready(loop.add_reader, loop.remove_reader)
            except OSError as error:
                if error.errno == errno.EIO:
                    return b""
                raise
        return b""

    async def write(self, data: bytes) -> bool:
        """Write everything, however long the reader takes; False: the other end is gone."""
        rest = memoryview(data)
        while rest:
            if self._number < 0:
                return False
            try:
                rest = rest[os.write(self._number, rest) :]
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await self._ready(loop.add_writer, loop.remove_writer)
            except OSError as error:
                if error.errno in {errno.EIO, errno.EPIPE}:
                    return False
                raise
        return True

    def finish(self) -> None:
        """Call what is there the rest: a reader gets it, then the end, although somebody may still write."""
        self._finishing = True
        self._wake()

    def close(self) -> None:
        """Close the descriptor; whoever waits for it finds the end."""
        if self._number < 0:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._number)
        loop.remove_writer(self._number)
        os.close(self._number)
        self._number = -1
        self._wake()

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def _ready(self, add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], bool]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        add(self._number, lambda: None if future.done() else future.set_result(None))
        try:
            await future
        finally:
            self._waiting.discard(future)
            if self._number >= 0:
                remove(self._number)


def pipe() -> tuple[Descriptor, int]:
    """Make a pipe: our end to read, and the child's descriptor, which the caller closes after the start."""
    ours, theirs = os.pipe()
    return Descriptor(ours), theirs
