"""A session's data channel as its handler sees it: bytes to send, input to take, both with bounded memory.

Output waits while the window is full. Input that the handler has not taken is queued up to a limit; then the pump's
delivery waits, and the pump sees to it that the sender slows down while receipts for our own output are still read.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sm_ssh_entry.pump import Pump
from sm_ssh_entry.wire.events import DataReceived, FlagReceived, SizeReceived

Input = DataReceived | SizeReceived | FlagReceived

# Bytes of input in the queue, above which the pump's delivery waits. What the pump holds behind it comes on top.
QUEUE_BYTES = 256 * 1024
# What a message other than data counts for.
_OVERHEAD = 256
# As the official agent: 1,024 bytes, then a pause. Otherwise as much as one message of ours may carry.
OFFICIAL_PAYLOAD = 1024
FULL_PAYLOAD = 32 * 1024


class Link:
    """One session's data channel.

    Args:
        pump: its channel and socket.
        pace: seconds between two messages; 0: none.
    """

    def __init__(self, pump: Pump, *, pace: float) -> None:
        self.pump = pump
        self._pause = pace
        self.chunk = OFFICIAL_PAYLOAD if pace else FULL_PAYLOAD
        self._queue: deque[Input] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def send(self, data: bytes, *, stderr: bool = False) -> None:
        """Send bytes of the stream, at most ``chunk`` of them; waits while the window is full."""
        await self.pump.send_data(data, stderr=stderr)
        if self._pause:
            await asyncio.sleep(self._pause)

    async def deliver(self, item: Input) -> None:
        """Take input from the pump; returns when there is room for more. One caller at a time."""
        self._queue.append(item)
        self._size += _size(item)
        self._arrived.set()
        if self._size > QUEUE_BYTES:
            self._room.clear()
            await self._room.wait()

    async def receive(self) -> Input:
        """Return the next input, as soon as there is any. One caller at a time."""
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        item = self._queue.popleft()
        self._size -= _size(item)
        if self._size <= QUEUE_BYTES:
            self._room.set()
        return item


def _size(item: Input) -> int:
    return _OVERHEAD + (len(item.data) if isinstance(item, DataReceived) else 0)
