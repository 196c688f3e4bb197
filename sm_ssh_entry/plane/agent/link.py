"""A session's data channel as its handler sees it: bytes to send, input to take, both with bounded memory.

Backpressure. Output waits while the window is full. Input is queued; when the queue is long, the pump is held in its
delivery, so it reads no more and TCP slows the sender down. That alone could lock up: a program that reads nothing
because nobody takes its output, while the receipts for that output stand behind the input. So reading goes on while
output waits for receipts, up to a second limit, where the channel stops accepting and the sender has to send again.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sm_ssh_entry.pump import Pump
from sm_ssh_entry.wire.channel import DataChannel
from sm_ssh_entry.wire.events import DataReceived, FlagReceived, SizeReceived

Input = DataReceived | SizeReceived | FlagReceived

# Bytes of input in the queue: here the pump waits, there the channel refuses.
SOFT_LIMIT = 1 << 20
HARD_LIMIT = 4 << 20
# What a message other than data counts for.
_OVERHEAD = 256
# As the official agent: 1,024 bytes, then 1 ms. Otherwise as much as one message of ours may carry.
OFFICIAL_PAYLOAD = 1024
OFFICIAL_PAUSE = 0.001
FULL_PAYLOAD = 32 * 1024


class Link:
    """One session's data channel.

    Args:
        channel: its protocol object.
        pump: its socket.
        official_pace: send as slowly as the official agent.
    """

    def __init__(self, channel: DataChannel, pump: Pump, *, official_pace: bool) -> None:
        self._channel = channel
        self._pump = pump
        self._pause = OFFICIAL_PAUSE if official_pace else 0.0
        self.chunk = OFFICIAL_PAYLOAD if official_pace else FULL_PAYLOAD
        self._queue: deque[Input] = deque()
        self._size = 0
        self._senders_waiting = 0
        self._changed = asyncio.Condition()

    async def send(self, data: bytes, *, stderr: bool = False) -> None:
        """Send bytes of the stream, at most ``chunk`` of them; waits while the window is full."""
        blocked = not self._channel.writable
        if blocked:
            await self._count_sender(1)
        try:
            await self._pump.send_data(data, stderr=stderr)
        finally:
            if blocked:
                await self._count_sender(-1)
        if self._pause:
            await asyncio.sleep(self._pause)

    async def deliver(self, item: Input) -> None:
        """Take input from the pump; returns when the pump may read on."""
        self._queue.append(item)
        self._size += _size(item)
        async with self._changed:
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._size <= SOFT_LIMIT or self._senders_waiting > 0)
        self._channel.accepting = self._size <= HARD_LIMIT

    async def receive(self) -> Input:
        """Return the next input, as soon as there is any."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._queue))
            item = self._queue.popleft()
            self._size -= _size(item)
            self._channel.accepting = self._size <= HARD_LIMIT
            self._changed.notify_all()
            return item

    async def _count_sender(self, change: int) -> None:
        self._senders_waiting += change
        if change > 0:
            async with self._changed:
                self._changed.notify_all()


def _size(item: Input) -> int:
    return _OVERHEAD + (len(item.data) if isinstance(item, DataReceived) else 0)
