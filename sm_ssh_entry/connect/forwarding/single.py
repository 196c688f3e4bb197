"""One connection in a session of its own, for agents that do not multiplex (before 3.0.197)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sm_ssh_entry.connect.forwarding import exchange
from sm_ssh_entry.connect.forwarding.local import Local

#: Bytes for the program above which the session is not read.
WAITING_BYTES = 1 << 20


class Single:
    """The one connection of a session. The agent has dialled before anybody connects here.

    Args:
        send: sends bytes of the session; waits while its window is full.
        end: ends the session.
    """

    stalled = False

    def __init__(self, send: Callable[[bytes], Awaitable[None]], end: Callable[[], Awaitable[None]]) -> None:
        self._send, self._end = send, end
        self._near: Local | None = None
        self._early: list[bytes] = []
        self._waiting = 0
        self._room = asyncio.Event()
        self._finished = False
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def load(self) -> int:
        """How many connections it carries, or has carried."""
        return int(self._near is not None)

    @property
    def takes_another(self) -> bool:
        """Whether it has not been used."""
        return self._near is None and not self._lost.done()

    async def receive(self, data: bytes) -> None:
        """Take bytes of the session; returns when there is room for more."""
        self._waiting += len(data)
        if self._near is None:
            self._early.append(data)
        else:
            self._near.give(data)
        while self._waiting > WAITING_BYTES and not self._lost.done():
            self._room.clear()
            await self._room.wait()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one accepted connection to its end, which is the session's."""
        near = self._near = Local(reader, writer, self._taken)
        for data in self._early:
            near.give(data)
        self._early.clear()
        if self._finished:
            near.finish()
        try:
            await exchange.both_ways(near, self, self._lost)
        finally:
            near.drop()
            await self._end()

    async def keep_alive(self) -> None:
        """There is nothing to do."""

    def closed_by_node(self) -> None:
        """The node has closed the session: the server's end of the connection."""
        self._finished = True
        if self._near is not None:
            self._near.finish()

    def lose(self) -> None:
        """The session is over."""
        if not self._lost.done():
            self._lost.set_result(None)
        self._room.set()

    async def send(self, data: bytes) -> None:
        """See ``exchange.Far``."""
        await self._send(data)

    async def finish(self) -> None:
        """See ``exchange.Far``. Such a session knows no half-closed connection."""
        await self._end()

    def _taken(self, count: int) -> None:
        self._waiting -= count
        if self._waiting <= WAITING_BYTES:
            self._room.set()
