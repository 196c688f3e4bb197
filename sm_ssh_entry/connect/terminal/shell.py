"""The shell: a line between the user's terminal and one on the node."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.connect import channel, stdio
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.line import Line
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.connect.terminal.escape import HELP, Escapes, Wish
from sm_ssh_entry.connect.terminal.local import Terminal
from sm_ssh_entry.connect.terminal.screen import Screen
from sm_ssh_entry.errors import SessionFailed
from sm_ssh_entry.pump import PumpError
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.states import State

# A command that says nothing at first is taken to run after so long; a shell always begins with a prompt.
SILENT_SECONDS = 2.0
# A trouble shorter than this is not worth a line in the user's screen.
NOTICE_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_PROGRESS_SECONDS = 0.2
_EOF_SECONDS = 2.0
# What may wait for a node that does not take it.
_WAITING_BYTES = 1 << 20
_END_OF_INPUT, _INTERRUPT = b"\x04", b"\x03"
_SIGNALLED = 128


@dataclass(frozen=True)
class Progress:
    """Where it is shown that somebody has to wait.

    Attributes:
        show: says it, now or later.
        clear: takes it away.
    """

    show: Callable[[str], None] = lambda _: None
    clear: Callable[[], None] = lambda: None


def run(
    ticket: Ticket,
    client: Callable[[], Any],
    ending: Ending,
    terminal: Terminal,
    progress: Progress = Progress(),
    *,
    is_command: bool = False,
) -> int:
    """Join the terminal to a shell or a command on the node until either side ends.

    Args:
        ticket: the session.
        client: makes an SSM client, for the rare case that one is needed.
        ending: our side's end.
        terminal: the user's.
        progress: shown while nothing has come.
        is_command: it may be silent at first, as a shell never is.

    Returns:
        0: the protocol has no status of what ran on the node. 128 and a signal's number: a signal ended it.

    Raises:
        SessionFailed: the session broke, or never came to life.
    """
    shell = _Shell(ticket, client, ending, terminal, progress)
    try:
        try:
            asyncio.run(shell.join(is_command))
        finally:
            progress.clear()
            shell.put_back()
    finally:
        if not shell.line.is_over:
            shell.line.terminate()
    return _SIGNALLED + ending.signal if ending.signal else 0


class _Shell:
    """A line and the terminal that it is joined to."""

    def __init__(
        self, ticket: Ticket, client: Callable[[], Any], ending: Ending, terminal: Terminal, progress: Progress
    ) -> None:
        self._node_id, self._ending, self._terminal, self._progress = ticket.node_id, ending, terminal, progress
        self.line = Line(ticket, client, ending, tell=self._notice, on_trouble=self._trouble)
        self._output: stdio.Output
        self._escapes, self._screen = Escapes(), Screen()
        self._greeted, self._closed_line = False, True
        self._end_of_line = b""
        self._waiting = bytearray()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._resized = asyncio.Event()
        self._troubled: asyncio.TimerHandle | None = None
        self._told = False

    async def join(self, is_command: bool) -> None:
        """Run until one side ends.

        Args:
            is_command: it may be silent at first.

        Raises:
            SessionFailed: it broke, or never came to life.
        """
        # A shell takes a last line that has no end as if it had one; a program gets it as it is.
        self._end_of_line = _END_OF_INPUT if is_command else b"\n"
        self._terminal.enter()
        self._output = stdio.Output(self._terminal.write, self._ending.over)
        self.line.begin(self._take)
        keys, done = (self._typed, self._ending.over) if self._terminal.interactive else (self._piped, self._end_input)
        stdio.read_forever(self._terminal.read, keys, done)
        parts = [self._follow_size(), self._send_forever(), self._show_progress()]
        if is_command:
            parts.append(self._start_silent())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            if await self.line.wait():
                await self._output.finish()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._troubled:
                self._troubled.cancel()
        if self.line.failure:
            raise self.line.failure

    def put_back(self) -> None:
        """Leave the terminal as it was."""
        undoing = self._screen.undoing() if self._terminal.interactive else b""
        if undoing:
            with contextlib.suppress(OSError):
                self._terminal.write(memoryview(undoing))
        self._terminal.leave()

    # From the node.

    async def _take(self, event: ev.Event) -> None:
        if isinstance(event, ev.DataReceived):
            if not self._greeted:
                self._greeted = True
                self._progress.clear()
            if self._terminal.interactive:
                self._screen.follow(event.data)
            await self._output.write(event.data)
        elif isinstance(event, ev.ChannelClosed):
            said = " ".join(event.output.split())
            if said and not self._greeted:
                self.line.fail(SessionFailed(f"{self._node_id} closed the session: {said}"))
            elif said:
                self._notice(said)

    async def _show_progress(self) -> None:
        while not self._greeted:
            self._progress.show(f"waiting for {self._node_id}")
            await asyncio.sleep(_PROGRESS_SECONDS)

    async def _start_silent(self) -> None:
        """Let input go to a command that has not said anything: its first output would open the way otherwise."""
        await asyncio.sleep(SILENT_SECONDS)
        self._progress.clear()
        await self.line.pump.start_without_handshake()
        await asyncio.sleep(channel.START_SECONDS)
        if not self._greeted and not self.line.pump.channel.receipts:
            self.line.fail(SessionFailed(f"the agent of {self._node_id} did not open its side of the session"))

    # From the user.

    async def _typed(self, data: bytes) -> None:
        """Take keys. Whatever the network does, the next ones are read: one of them may be the wish to leave."""
        if _INTERRUPT in data and self.line.pump.channel.state is State.OPENING:
            self._ending.over()  # nobody is there yet to interrupt
            return
        passed, wishes = self._escapes.take(data)
        for wish in wishes:
            if wish is Wish.LEAVE:
                self._ending.over()
                self._print("\r\n")
                return
            self._print(HELP)
        self._waiting += passed
        self._changed.set()
        while len(self._waiting) > _WAITING_BYTES:
            if self._troubled:
                del self._waiting[_WAITING_BYTES:]
                self._print("\a")
            else:
                self._room.clear()
                await self._room.wait()

    async def _send_forever(self) -> None:
        while True:
            self._changed.clear()
            while self._waiting:
                piece = bytes(self._waiting[: self.line.pump.channel.max_payload])
                with contextlib.suppress(PumpError):  # the end, which others see to
                    await self.line.pump.send_data(piece)
                del self._waiting[: len(piece)]
                self._room.set()
            await self._changed.wait()

    async def _piped(self, data: bytes) -> None:
        self._closed_line = data.endswith(b"\n")
        await self.line.pump.send_data(data)

    def _end_input(self) -> None:
        self._ending_input = asyncio.create_task(self._say_end_of_input())

    async def _say_end_of_input(self) -> None:
        """Type what ends input on a terminal: once more behind a line without its end, and for whoever reads next."""
        with contextlib.suppress(PumpError):
            if not self._closed_line:
                await self.line.pump.send_data(self._end_of_line)
            while True:
                await self.line.pump.send_data(_END_OF_INPUT)
                await asyncio.sleep(_EOF_SECONDS)

    async def _follow_size(self) -> None:
        """Tell the node the size now, and whenever it has changed."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._resized.set)

        looks = None if self._terminal.watch(changed) else _LOOK_SECONDS
        told = None
        while True:
            self._resized.clear()
            size = self._terminal.size()
            if size != told:
                told = size
                with contextlib.suppress(PumpError):
                    await self.line.pump.send_size(*size)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._resized.wait(), looks)

    # Beside the session.

    def _trouble(self, what: str) -> None:
        if self._troubled:
            self._troubled.cancel()
            self._troubled = None
        if what:
            leave = " (Enter ~ . leaves)" if self._terminal.interactive else ""
            line = f"{what}; trying again{leave}"
            self._troubled = asyncio.get_running_loop().call_later(NOTICE_SECONDS, self._notice_trouble, line)
            self._room.set()
        elif self._told:
            self._told = False
            self._notice("it is back")

    def _notice_trouble(self, line: str) -> None:
        self._told = True
        self._notice(line)

    def _notice(self, line: str) -> None:
        self._print(f"\r\n[sm-ssh: {line}]\r\n" if self._terminal.interactive else f"sm-ssh: {line}\n")

    @staticmethod
    def _print(text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)
