"""Whether our side is over: by a signal, by the end of input, by a reader that went away."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Ending:
    """A flag that signals may raise before there is an event loop, and an event once there is one."""

    def __init__(self) -> None:
        self.is_over = False
        #: The signal that ended it; 0: none did.
        self.signal = 0
        self._began_at_end = False
        self._event: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch_signals(self, *, interrupt: bool = False) -> None:
        """Let HUP and TERM end the session instead of the process.

        Args:
            interrupt: so does Ctrl-C. Otherwise it is for ``ssh``, whose end ends us.
        """
        for name in ("SIGHUP", "SIGTERM", "SIGBREAK", *(("SIGINT",) if interrupt else ())):
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, self._ended_by)
        if not interrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._began_at_end = _has_hung_up()

    def _ended_by(self, number: int, _: object) -> None:
        self.signal = self.signal or number
        self.over()

    def over(self) -> None:
        """Say that it is over; from any thread, and from a signal handler."""
        self.is_over = True
        loop, event = self._loop, self._event
        if loop is not None and event is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(event.set)

    def is_left(self) -> bool:
        """Whether nobody is there to talk to, while nobody reads standard input yet. Linux and macOS.

        Input that had ended before we began says nothing: who runs us by hand may have none.
        """
        return self.is_over or (not self._began_at_end and _has_hung_up())

    async def wait(self) -> None:
        """Wait for it."""
        import asyncio

        self._event, self._loop = asyncio.Event(), asyncio.get_running_loop()
        if not self.is_over:
            await self._event.wait()


def _has_hung_up() -> bool:
    """Whether nobody writes to standard input any more; False where a system cannot tell."""
    if sys.platform == "win32":
        return False
    import select

    poll = select.poll()
    poll.register(0, 0)  # no event but a hang-up
    return any(event & select.POLLHUP for _, event in poll.poll(0))
