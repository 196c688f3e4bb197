"""Pump: the one I/O shell around ``wire.DataChannel``. asyncio, and a WebSocket client library.

Two tasks serve a connection: one reads (read, feed, take events), one writes (what the core wants to send, and when it
wants to be woken). A third outlives connections and delivers events. Reading goes on while a delivery takes its time,
because receipts have to be read for our own sending to go on; what is undelivered is bounded: above DELIVERY_BYTES the
channel stops accepting, so that the peer's window fills up, and a peer without a window is no longer read.

When the connection is lost, by an error of reading or of writing or because ``watch`` calls it dead, it is dialled
again, and the channel sends again what has no receipt. A connection that stands while the peer is silent is replaced
only once another one has been opened. Importing this module imports no WebSocket library.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from sm_ssh_entry.pump.delivery import Delivery
from sm_ssh_entry.pump.errors import ConnectionLost, PeerBroken, SessionOver
from sm_ssh_entry.pump.guard import Guard
from sm_ssh_entry.pump.watch import SLEPT_SECONDS, Pace
from sm_ssh_entry.pump.websocket import WebSocketLike, abort, hang_up, losses
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.states import State

if TYPE_CHECKING:
    from sm_ssh_entry.wire.channel import DataChannel
    from sm_ssh_entry.wire.events import Event

logger = logging.getLogger("sm_ssh_entry.pump")

#: Out-of-order and not accepted bytes in the channel above which a connection is no longer read. Only a peer that
#: ignores our receipts gets there.
HELD_BYTES = 12 << 20
#: Frames that wait to be written before reading stops: each frame read may cause one.
OUTGOING_FRAMES = 4096
#: Malformed frames in a row that end a session. One by itself is dropped, and sent again by the peer.
MALFORMED_FRAMES = 16
#: Seconds between attempts to dial again: the first, and the longest. Each is spread by half of it.
FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 2.0
#: A connection that has lasted so long, in seconds, counts as regained even if the peer had nothing to say.
STABLE_AFTER = 5.0


class Pump:
    """Runs one ``DataChannel`` over as many websockets as it takes.

    Arguments:
        channel: a fresh channel. Use it through the pump only, once :meth:`run` has begun.
        dial: opens a websocket and presents the token; called again after a loss. May raise DialRefused to end the
            session. OSError, TimeoutError and errors of the WebSocket library count as a loss; all others end the run.
        redial_for: seconds from a loss until :meth:`run` gives up. A connection that is opened and brings nothing does
            not count as regained.
        dial_for: the same for the first connection; 0 tries once.
        pace: how soon a connection that says nothing is doubted.
        on_trouble: told once for each connection that is lost, and for each silence of the peer's; ``""``: it is over.

    The channel's clock is ``time.monotonic()``.
    """

    def __init__(
        self,
        channel: DataChannel,
        dial: Callable[[], Awaitable[WebSocketLike]],
        *,
        redial_for: float = 60.0,
        dial_for: float = 0.0,
        pace: Pace = Pace(),  # noqa: B008 - frozen
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.channel = channel
        self._dial = dial
        self._redial_for, self._dial_for = redial_for, dial_for
        #: The writer has something to do: frames, or a deadline that has come.
        self._wake = asyncio.Event()
        #: Something changed that a sender, the reader or ``drain`` may be waiting for.
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._sending = asyncio.Lock()
        self._delivery = Delivery(self._delivered)
        self._closer: asyncio.Task[Any] | None = None
        self._connected = self._ever_connected = self._idle = False
        self._heard = self._over = False
        self._lost_at = 0.0
        self._backoff = FIRST_BACKOFF
        self._malformed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._guard = Guard(channel, dial, pace, on_trouble)

    @property
    def connected(self) -> bool:
        """Whether a websocket stands at the moment."""
        return self._connected

    async def run(self, on_event: Callable[[Event], Awaitable[None] | None]) -> None:
        """Serve the session until its end: ``ChannelClosed`` has been delivered, or :meth:`close` was called.

        ``on_event`` gets every event, one at a time and in order; while it is awaited, no other is delivered. It may
        send. Raises ConnectionLost, DialRefused, PeerBroken, and whatever ``on_event`` or ``dial`` raises; before it
        raises an error of the connection, everything received has been delivered.
        """
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(self._stop.wait())
        delivery = asyncio.create_task(self._delivery.run(on_event))
        tasks: tuple[asyncio.Task[Any], ...] = (serving, stopping, delivery)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._over = True
            self._delivery.finish()
            self._changed.set()
            if not self._stop.is_set() or self._closer is delivery:
                await asyncio.wait({delivery})
            for task in (delivery, serving):
                if task.done():
                    task.result()
        finally:
            self._over = True
            self._changed.set()
            if self._timer is not None:
                self._timer.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._guard.close()

    async def close(self, *, flush_for: float = 2.0) -> None:
        """End :meth:`run`. What was sent before goes out first, if it can within ``flush_for`` seconds.

        Receipts are not waited for; see :meth:`drain`.
        """
        await self._wait(lambda: not self._connected or (self._idle and not self.channel.pending_frames), flush_for)
        self._closer = asyncio.current_task()
        self._over = True
        self._delivery.stop()
        self._stop.set()
        self._changed.set()

    async def drain(self, timeout: float) -> bool:
        """Wait until the peer has acknowledged everything, at most ``timeout`` seconds. Returns whether it has."""
        return await self._wait(lambda: not self.channel.unacknowledged, timeout)

    async def answers(self, timeout: float) -> bool:
        """Return whether anything is heard within ``timeout`` seconds; a ping asks for it."""
        return await self._guard.answers(timeout)

    async def send_data(self, data: bytes | memoryview, *, stderr: bool = False) -> None:
        """Send bytes of the stream; wait while the channel is not writable. Calls do not interleave.

        Raises SessionOver when there is nobody to send to any more.
        """
        view, step = memoryview(data), self.channel.max_payload
        async with self._sending:
            for start in range(0, len(view), step):
                self._check_open()
                while not self.channel.writable:
                    self._changed.clear()
                    await self._changed.wait()
                    self._check_open()
                self.channel.send_data(view[start : start + step], time.monotonic(), stderr=stderr)
                self._touched()

    async def send_size(self, cols: int, rows: int) -> None:
        """See ``DataChannel.send_size``; here and below nothing is waited for."""
        self._check_open()
        self.channel.send_size(cols, rows, time.monotonic())
        self._touched()

    async def send_flag(self, value: int) -> None:
        """See ``DataChannel.send_flag``."""
        self._check_open()
        self.channel.send_flag(value, time.monotonic())
        self._touched()

    async def send_exit_code(self, code: int) -> None:
        """See ``DataChannel.send_exit_code``. Goes out behind all data of earlier :meth:`send_data` calls."""
        async with self._sending:
            self._check_open()
            self.channel.send_exit_code(code, time.monotonic())
            self._touched()

    async def send_session_state(self, state: str) -> None:
        """See ``DataChannel.send_session_state``."""
        self.channel.send_session_state(state, time.monotonic())
        self._touched()

    async def start_handshake(self) -> None:
        """See ``DataChannel.start_handshake``."""
        self._check_open()
        self.channel.start_handshake(time.monotonic())
        self._touched()

    async def start_without_handshake(self) -> None:
        """See ``DataChannel.start_without_handshake``. Does nothing once anything has come."""
        if self.channel.state is State.OPENING:
            self.channel.start_without_handshake(time.monotonic())
            self._touched()

    async def terminate(self) -> None:
        """See ``DataChannel.terminate``. Does nothing when the channel is closed already."""
        if self.channel.state is not State.CLOSED:
            self.channel.terminate(time.monotonic())
            self._touched()

    # Connections.

    async def _serve(self) -> None:
        self._lost_at = time.monotonic()
        while not self._delivery.closed_by_service:
            socket = await self._connect()
            opened = time.monotonic()
            self._connected, self._heard = True, False
            self.channel.connected(opened)
            self._guard.begin(opened, socket)
            self._touched()
            parts = (self._read(socket), self._write(socket), self._guard.run(lambda: not self._is_flooded))
            tasks = {asyncio.create_task(part) for part in parts}
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._connected = False
                self._changed.set()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await (abort if self._guard.has_left else hang_up)(socket)
            error = next((task.exception() for task in done if task.exception()), None)
            if error is not None and not isinstance(error, losses()):
                raise error
            now = time.monotonic()
            if self._heard or now - opened >= STABLE_AFTER:
                self._lost_at, self._backoff = now, FIRST_BACKOFF
            logger.debug("= connection lost: %s", error)
            if not self._delivery.closed_by_service and not self._guard.has_spare:
                self._guard.trouble("the connection is lost")
                await self._back_off(self._redial_for, error)

    async def _connect(self) -> WebSocketLike:
        patience = self._redial_for if self._ever_connected else self._dial_for
        spare = await self._guard.take_spare()
        if spare is not None:
            return spare
        while True:
            left = self._lost_at + patience - time.monotonic()
            try:
                # The first attempt has its own limits, or none; later ones must not outlast the patience by much.
                socket = await asyncio.wait_for(self._dial(), max(left, 1.0) if self._ever_connected else None)
            except losses() as error:
                logger.debug("= no connection: %s", type(error).__name__)
                await self._back_off(patience, error)
            else:
                self._ever_connected = True
                return socket

    async def _back_off(self, patience: float, error: BaseException | None) -> None:
        now = time.monotonic()
        if now - self._lost_at > patience + SLEPT_SECONDS:
            self._lost_at = now  # The machine slept, with a clock that did not: nobody has tried for long yet.
        left = self._lost_at + patience - now
        if left <= 0:
            raise ConnectionLost(f"no connection for {patience:g} s" if patience else "no connection") from error
        spread = random.uniform(0.5, 1.5)  # noqa: S311 (it spreads load, it hides nothing)
        await asyncio.sleep(min(left, self._backoff * spread))
        self._backoff = min(LONGEST_BACKOFF, self._backoff * 2)

    # The loop: read, feed, take events; write; deliver.

    async def _read(self, socket: WebSocketLike) -> None:
        channel = self.channel
        while True:
            frame = await socket.recv()
            self._guard.heard()
            try:
                if isinstance(frame, str):
                    raise RemoteProtocolError("a text frame")
                events = channel.receive(frame, time.monotonic())
            except RemoteProtocolError as error:
                self._malformed += 1
                logger.debug("< malformed: %s", error)
                if self._malformed >= MALFORMED_FRAMES:
                    raise PeerBroken(f"{self._malformed} malformed frames in a row, the last: {error}") from error
                continue
            self._malformed, self._heard = 0, True
            self._guard.trouble("")
            self._take(events)
            self._touched()
            while self._is_flooded:
                self._changed.clear()
                await self._changed.wait()

    async def _write(self, socket: WebSocketLike) -> None:
        channel = self.channel
        while True:
            self._wake.clear()
            due = channel.next_deadline()
            if due is not None and due <= time.monotonic():
                self._take(channel.tick(time.monotonic()))
                due = channel.next_deadline()
            frames = channel.frames_to_send()
            if frames:
                self._idle = False
                for frame in frames:
                    await socket.send(frame)
                self._changed.set()
                continue
            self._idle = True
            self._changed.set()
            self._set_timer(due)
            await self._wake.wait()

    def _take(self, events: Iterable[Event]) -> None:
        self._delivery.put(events)
        if self._delivery.is_full:
            self.channel.accepting = False

    def _delivered(self) -> None:
        if self._delivery.has_room:
            if not self.channel.accepting:
                self.channel.accepting = True
                self._wake.set()
            self._changed.set()

    @property
    def _is_flooded(self) -> bool:
        if self.channel.pending_frames > OUTGOING_FRAMES or self._delivery.is_flooded:
            return True
        return not self.channel.accepting and self.channel.held_bytes > HELD_BYTES

    def _touched(self) -> None:
        """The channel was told something: there may be frames, another deadline, or room."""
        self._wake.set()
        self._changed.set()

    def _set_timer(self, due: float | None) -> None:
        if due is None:
            return  # A timer left from before wakes the writer once for nothing.
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, due - time.monotonic())
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._wake.set()

    def _check_open(self) -> None:
        if self._over or self.channel.state is State.CLOSED:
            raise SessionOver("the session is over")

    async def _wait(self, predicate: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not predicate():
            left = deadline - time.monotonic()
            if left <= 0 or self._over:
                return False
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except asyncio.TimeoutError:
                return predicate()
        return True
