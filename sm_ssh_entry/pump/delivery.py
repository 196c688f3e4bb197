"""Delivery: events on their way to a callback that may take its time, with bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from sm_ssh_entry.wire.events import ChannelClosed, DataReceived, Event

#: Undelivered bytes above which the channel is to stop accepting more; below half of it may accept again.
DELIVERY_BYTES = 4 << 20
#: What an event takes of it besides its data.
EVENT_BYTES = 256


class Delivery:
    """A queue of events and the loop that empties it. ``on_progress`` is called after each delivered event."""

    def __init__(self, on_progress: Callable[[], None]) -> None:
        #: Whether the end of the session is in the queue, or delivered.
        self.closed_by_service = False
        self._on_progress = on_progress
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._finishing = self._stopped = False

    @property
    def is_full(self) -> bool:
        """Whether the channel is to stop accepting."""
        return self._bytes > DELIVERY_BYTES

    @property
    def has_room(self) -> bool:
        """Whether the channel may accept again."""
        return self._bytes < DELIVERY_BYTES // 2

    @property
    def is_flooded(self) -> bool:
        """Whether events other than data, which ask nobody's acceptance, are piling up."""
        return self._bytes > 2 * DELIVERY_BYTES

    def put(self, events: Iterable[Event]) -> None:
        """Queue events."""
        for event in events:
            self._events.append(event)
            self._bytes += _size(event)
            if isinstance(event, ChannelClosed):
                self.closed_by_service = True
        self._arrived.set()

    def finish(self) -> None:
        """Nothing more will be put: :meth:`run` returns when the queue is empty."""
        self._finishing = True
        self._arrived.set()

    def stop(self) -> None:
        """Let :meth:`run` return after the event that is being delivered."""
        self._stopped = True
        self._arrived.set()

    async def run(self, on_event: Callable[[Event], Awaitable[None] | None]) -> None:
        """Deliver events one at a time, until ``ChannelClosed`` has been."""
        while not self._stopped:
            if not self._events:
                if self._finishing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            event = self._events.popleft()
            awaited = on_event(event)
            if awaited is not None:
                await awaited
            if isinstance(event, ChannelClosed):
                return
            self._bytes -= _size(event)
            self._on_progress()


def _size(event: Event) -> int:
    return EVENT_BYTES + len(event.data) if isinstance(event, DataReceived) else EVENT_BYTES
