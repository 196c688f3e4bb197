"""The terminal of Linux and macOS: raw while a session lasts, and put back whatever becomes of this process.

A process that is killed cannot put anything back. So another one waits at a pipe: a shell of one line, started before
the terminal is touched, in a session of its own where no signal of the terminal's reaches it. A line through the pipe
means that all is well; the pipe's end without one, that we are gone, and it restores what it saw when it began.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sm_ssh_entry import command
from sm_ssh_entry.connect.terminal.local import size_without_terminal
from sm_ssh_entry.errors import SmSshError

assert sys.platform != "win32"  # noqa: S101 - for type checkers: there is another module for that

import termios  # noqa: E402
import tty  # noqa: E402

_STDIN, _STDOUT = 0, 1
_CHUNK = 1 << 16
_SHELL = "/bin/sh"
# Standard output is the terminal, standard input the pipe; "ready" says that the settings have been read.
_KEEPER = 'exec 3<&1; saved=$(stty -g <&3 2>&1) || exit; echo ready >&2; read -r line || stty "$saved" <&3'


class PosixTerminal:
    """Standard input and output.

    Args:
        stdin: descriptor of the keys.
        stdout: descriptor of the screen.
    """

    def __init__(self, stdin: int = _STDIN, stdout: int = _STDOUT) -> None:
        self.interactive = os.isatty(stdin) and os.isatty(stdout)
        self._stdin, self._stdout = stdin, stdout
        self._before: list[Any] | None = None
        self._keeper: command.Popen[bytes] | None = None

    def watch(self, changed: Callable[[], None]) -> bool:
        """Heed SIGWINCH; and SIGCONT, because a shell takes the terminal back from a process that was stopped."""

        def continued(*_: object) -> None:
            if self._before is not None:
                self.enter()
            changed()

        signal.signal(signal.SIGWINCH, lambda *_: changed())
        signal.signal(signal.SIGCONT, continued)
        return True

    def enter(self) -> None:
        """Make the terminal raw: no echo, no line editing, no key that is a signal."""
        if not self.interactive:
            return
        if self._before is None:
            self._keeper = self._start_keeper()
            self._before = termios.tcgetattr(self._stdin)
        tty.setraw(self._stdin, termios.TCSANOW)

    def leave(self) -> None:
        """Restore the terminal, and let the keeper go."""
        before, keeper = self._before, self._keeper
        self._before = self._keeper = None
        if before is not None:
            with contextlib.suppress(termios.error):  # the terminal has been closed
                termios.tcsetattr(self._stdin, termios.TCSANOW, before)  # output that Ctrl-S holds is not waited for
        if keeper is not None:
            with contextlib.suppress(OSError):
                keeper.communicate(b"done\n")

    def size(self) -> tuple[int, int]:
        """Ask the terminal; one that does not know, and a pipe, have the usual size."""
        for descriptor in (self._stdout, self._stdin):
            with contextlib.suppress(OSError):
                cols, rows = os.get_terminal_size(descriptor)
                if cols and rows:
                    return cols, rows
        return size_without_terminal()

    def read(self) -> bytes:
        """Read what has been typed."""
        return os.read(self._stdin, _CHUNK)

    def write(self, data: memoryview) -> int:
        """Write to the screen."""
        return os.write(self._stdout, data)

    def _start_keeper(self) -> command.Popen[bytes] | None:
        try:
            keeper = command.spawn(
                [_SHELL, "-c", _KEEPER],
                stdin=command.PIPE,
                stdout=self._stdout,
                stderr=command.PIPE,
                new_session=True,
            )
        except SmSshError:  # no shell here: then only what this process survives is put back
            return None
        assert keeper.stderr is not None  # noqa: S101 - asked for above
        keeper.stderr.readline()
        return keeper
