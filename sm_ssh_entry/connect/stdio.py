"""Standard input and output as raw bytes, each with a thread of its own: the one way that works on every system.

An event loop can watch pipes on POSIX, sockets alone on Windows, and files nowhere; a thread that blocks in ``read`` or
``write`` can do all three.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial

_CHUNK = 1 << 16
# Bytes that may wait for a slow reader before the session is held back, and at which it goes on.
_HIGH = 4 << 20
_LOW = 1 << 20


def make_binary(*descriptors: int) -> None:
    """Keep Windows from translating line ends; elsewhere there is nothing to do."""
    if sys.platform == "win32":
        import msvcrt

        for descriptor in descriptors:
            msvcrt.setmode(descriptor, os.O_BINARY)


def read_forever(
    source: int | Callable[[], bytes], deliver: Callable[[bytes], Awaitable[None]], ended: Callable[[], None]
) -> threading.Thread:
    """Start a thread that reads to the end. Call it in the running event loop.

    Args:
        source: descriptor, or what waits for the next piece and returns it, ``b""`` at the end.
        deliver: awaited in the event loop for each piece; the next piece is read when it has returned.
        ended: called in the event loop at the end of input, or when ``deliver`` failed.
    """
    loop = asyncio.get_running_loop()
    read = partial(os.read, source, _CHUNK) if isinstance(source, int) else source

    async def hand_over(data: bytes) -> None:
        await deliver(data)

    def work() -> None:
        with contextlib.suppress(OSError, RuntimeError, asyncio.CancelledError):  # RuntimeError: the loop has ended
            while True:
                data = read()
                if not data:
                    break
                handing = hand_over(data)
                try:
                    handed = asyncio.run_coroutine_threadsafe(handing, loop)
                except RuntimeError:
                    # The loop has ended between two pieces; Python would warn of a coroutine that nobody awaited.
                    handing.close()
                    raise
                if handed.exception() is not None:
                    break
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended)

    thread = threading.Thread(target=work, name="stdin", daemon=True)
    thread.start()
    return thread


class Output:
    """What is written to by a thread; ``write`` waits only when very much is already waiting.

    Args:
        sink: descriptor, or what writes some bytes and returns how many.
        broken: called in the event loop when the reader has gone away.
    """

    def __init__(self, sink: int | Callable[[memoryview], int], broken: Callable[[], None]) -> None:
        self.written = 0
        self._write_some = partial(os.write, sink) if isinstance(sink, int) else sink
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._taken = 0
        self._room = asyncio.Event()
        self._finished = asyncio.Event()
        threading.Thread(target=self._work, name="stdout", daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Queue bytes for the reader."""
        self._taken += len(data)
        self._queue.put(data)
        while self._is_full:
            self._room.clear()
            if self._is_full:  # asked again: the thread may have caught up just before the clear
                await self._room.wait()

    async def finish(self) -> None:
        """Wait until everything is written."""
        self._queue.put(None)
        await self._finished.wait()

    @property
    def _is_full(self) -> bool:
        return self._taken - self.written > _HIGH

    def _work(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                self._write(data)
        except OSError:
            self._tell(self._broken)
        finally:
            self.written = 1 << 62
            self._tell(self._room.set)
            self._tell(self._finished.set)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = self._write_some(view)
            view = view[count:]
            self.written += count
        if self._taken - self.written < _LOW and not self._room.is_set():
            self._tell(self._room.set)

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(what)


def let_go(*descriptors: int) -> None:
    """Point descriptors at the null device, so that nobody who waits for their end waits for us."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.dup2(null, descriptor)
    os.close(null)
