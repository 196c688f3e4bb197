"""The sessions of one forwarded port, and which of them carries a connection.

One is started before the port is announced, more when those that there are are busy. A session that is over is
replaced when somebody connects next: an idle port costs no calls.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from sm_ssh_entry.connect.forwarding import local
from sm_ssh_entry.connect.forwarding.single import Single
from sm_ssh_entry.connect.forwarding.streams import Streams
from sm_ssh_entry.connect.forwarding.tunnel import Tunnel
from sm_ssh_entry.errors import SmSshError

#: Connections in every session from which on one more session is started. The official agent sends 0.6 MB/s in each.
BUSY = 2
#: Most sessions where each carries one connection, whatever was asked for.
SINGLES = 32
#: Seconds between attempts to start a session: the first, and the longest.
FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 30.0
#: Seconds between two lines that say the same.
SAID_AGAIN = 1.0


class Pool:
    """The sessions of one port.

    Args:
        start: starts a session and returns it; raises SmSshError. Its events go to the pool it is given.
        most: how many there may be.
        say: takes one line for the user; see ``seldom``.
        there: where the port leads, for people.
    """

    def __init__(
        self, start: Callable[[Pool], Awaitable[Tunnel]], *, most: int, say: Callable[[str], None], there: str
    ) -> None:
        self.say = say
        self._start, self._most, self._there = start, most, there
        self._tunnels: list[Tunnel] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._retry_at = 0.0
        self._backoff = FIRST_BACKOFF
        self._ended = False

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self._alive())

    @property
    def stalled(self) -> int:
        """How many of them are held up by programs that do not read."""
        return sum(tunnel.carrier is not None and tunnel.carrier.stalled for tunnel in self._alive())

    async def begin(self) -> None:
        """Start the first session.

        Raises:
            SmSshError: why there can be none.
        """
        await self._add()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry an accepted connection to its end; one that nobody can carry is broken."""
        carrier = await self._choose()
        if carrier is None:
            local.reset(writer)
            return
        await carrier.carry(reader, writer)

    def refused(self) -> None:
        """The node could not connect to the port."""
        self.say(f"nothing answers at {self._there}: the connection was refused there")

    async def end(self) -> None:
        """End all sessions."""
        self._ended = True
        starting = list(self._starting)
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        await asyncio.gather(*(tunnel.end() for tunnel in self._tunnels))

    async def _choose(self) -> Streams | Single | None:
        """Return what carries the next connection. The caller uses it before anything is awaited."""
        while not self._ended:
            free = [tunnel.carrier for tunnel in self._alive() if tunnel.carrier and tunnel.carrier.takes_another]
            best = min(free, key=lambda one: (one.stalled, one.load), default=None)
            if best is not None and not best.stalled and best.load < BUSY:
                return best
            # A new session is there in a moment, and a connection cannot change its session later.
            if self._grow():
                self._waiting += 1
                await asyncio.wait(self._starting, return_when=asyncio.FIRST_COMPLETED)
                self._waiting -= 1
                continue
            if best is not None and best.stalled:
                self.say(f"{self._there}: a connection that nobody reads holds up the others")
            if best is None and time.monotonic() >= self._retry_at:
                self.say(f"{self._there}: too many connections at once, one was turned away")
            return best
        return None

    def _grow(self) -> bool:
        """Start a session in the background if another is wanted and may be; return whether any is on its way."""
        alive = self._alive()
        most = max(self._most, SINGLES) if any(isinstance(one.carrier, Single) for one in alive) else self._most
        wanted = 1 + self._waiting // BUSY
        if (
            len(alive) + len(self._starting) < most
            and len(self._starting) < wanted
            and time.monotonic() >= self._retry_at
        ):
            task = asyncio.create_task(self._grown())
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
        return bool(self._starting)

    async def _grown(self) -> None:
        try:
            await self._add()
        except SmSshError as error:
            if time.monotonic() >= self._retry_at:  # several that were started at once fail together
                self._retry_at = time.monotonic() + self._backoff
                self.say(f"{self._there}: {error.message}; trying again in {self._backoff:.0f} s at the earliest")
                self._backoff = min(LONGEST_BACKOFF, self._backoff * 2)

    async def _add(self) -> None:
        tunnel = await self._start(self)
        self._backoff = FIRST_BACKOFF
        self._tunnels = [*self._alive(), tunnel]

    def over(self, tunnel: Tunnel) -> None:
        """A session has ended by itself."""
        if self._ended or isinstance(tunnel.carrier, Single):
            return
        if not self._alive() or (tunnel.carrier is not None and tunnel.carrier.load):
            why = f" ({tunnel.reason})" if tunnel.reason else ""
            self.say(f"{self._there}: the session is over{why}; the next connection starts another")

    def _alive(self) -> list[Tunnel]:
        return [tunnel for tunnel in self._tunnels if not tunnel.is_over]


def seldom(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return what passes lines on, the same one at most once in SAID_AGAIN: what happens to one session often happens
    to all.

    Args:
        say: takes one line for the user.
    """
    said: dict[str, float] = {}

    def pass_on(line: str) -> None:
        now = time.monotonic()
        if now - said.get(line, -SAID_AGAIN) >= SAID_AGAIN:
            said[line] = now
            say(line)

    return pass_on
