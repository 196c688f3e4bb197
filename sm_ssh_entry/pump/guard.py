"""Guard: asks a connection whether it lives, and has another one ready where the peer alone is silent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sm_ssh_entry.pump.watch import Pace, Verdict, Watch
from sm_ssh_entry.pump.websocket import WebSocketLike, abort, losses

if TYPE_CHECKING:
    from sm_ssh_entry.wire.channel import DataChannel

logger = logging.getLogger("sm_ssh_entry.pump")

#: How long an attempt that was begun beside a connection which is lost meanwhile may still take, in seconds.
SPARE_TIMEOUT = 10.0


class Guard:
    """Looks after one session's connections.

    Args:
        channel: says which receipts are owed.
        dial: opens a connection.
        pace: how often, how long.
        on_trouble: told once when something is wrong, and ``""`` when it no longer is.
    """

    def __init__(
        self,
        channel: DataChannel,
        dial: Callable[[], Awaitable[WebSocketLike]],
        pace: Pace,
        on_trouble: Callable[[str], None],
    ) -> None:
        self._channel, self._dial, self._on_trouble = channel, dial, on_trouble
        self._watch = Watch(pace)
        self._heard = asyncio.Event()
        self._troubled = self._has_left = False
        self._socket: WebSocketLike | None = None
        self._spare: asyncio.Task[WebSocketLike] | None = None

    @property
    def has_spare(self) -> bool:
        """Whether another connection stands, or is being opened."""
        return self._spare is not None

    @property
    def has_left(self) -> bool:
        """Whether the latest connection has been given up from here: nobody need say goodbye to it."""
        return self._has_left

    def begin(self, now: float, socket: WebSocketLike) -> None:
        """A connection has been opened."""
        self._socket, self._has_left = socket, False
        self._watch.begin(now, time.time())

    def heard(self) -> None:
        """Something has come over the connection."""
        self._watch.heard(time.monotonic())
        self._heard.set()

    def trouble(self, what: str) -> None:
        """Say what is wrong, once; ``""``: nothing any more."""
        if bool(what) is not self._troubled:
            self._troubled = bool(what)
            self._on_trouble(what)

    async def answers(self, timeout: float) -> bool:
        """Return whether anything is heard within ``timeout`` seconds; a ping asks for it."""
        self._heard.clear()
        asking = asyncio.create_task(self._ask_quietly())
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._heard.wait(), timeout)
        asking.cancel()
        return self._heard.is_set()

    async def run(self, is_read: Callable[[], bool]) -> None:
        """Watch the connection; returns when another one stands in its place.

        Args:
            is_read: whether somebody reads it at the moment.

        Raises:
            TimeoutError: it is dead.
        """
        asking: set[asyncio.Task[None]] = set()
        try:
            while True:
                await asyncio.sleep(self._watch.pace.look_every)
                verdict = self._watch.look(
                    time.monotonic(),
                    time.time(),
                    reading=is_read(),
                    stalled_since=self._channel.stalled_since,
                    receipts=self._channel.receipts,
                )
                if verdict is Verdict.ASK:
                    task = asyncio.create_task(self._ask_quietly())
                    asking.add(task)
                    task.add_done_callback(asking.discard)
                elif verdict is Verdict.DEAD:
                    self._has_left = True
                    raise TimeoutError("nothing was heard any more")
                elif verdict is Verdict.STALLED and await self._open_spare():
                    self._has_left = True
                    return
        finally:
            for task in asking:
                task.cancel()

    async def take_spare(self) -> WebSocketLike | None:
        """Return the other connection, if there is one or soon will be."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        try:
            return await asyncio.wait_for(spare, SPARE_TIMEOUT)
        except losses() as error:
            logger.debug("= no connection: %s", type(error).__name__)
            return None

    async def close(self) -> None:
        """Forget the other connection."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.cancel()
            await asyncio.wait({spare})
            if not spare.cancelled() and spare.exception() is None:
                await abort(spare.result())

    async def _ask_quietly(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(*losses()):  # the reader finds out, too
                await (await self._socket.ping())
                self.heard()

    async def _open_spare(self) -> bool:
        """Open another connection while the old one stands: the attempt also shows whether the session is over.

        One that fails costs nothing: with credentials that have run out a session lives as long as its connection.
        """
        self.trouble("the other end does not answer")
        logger.debug("= receipts are missing")
        self._spare = asyncio.ensure_future(self._dial())
        await asyncio.wait({self._spare})
        error = self._spare.exception()
        if error is None:
            return True
        self._spare = None
        if not isinstance(error, losses()):
            raise error
        logger.debug("= no other connection: %s", type(error).__name__)
        return False
