"""What a shell needs of the user's terminal, and the terminal that this process has."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Protocol

#: Columns and rows where there is no terminal that could say.
DEFAULT_SIZE = (80, 24)
_LARGEST = 10_000


class Terminal(Protocol):
    """The user's terminal, or the pipes in its place.

    Attributes:
        interactive: whether keys come from it one by one: then ``enter`` has an effect, and ``~`` a meaning.
    """

    interactive: bool

    def watch(self, changed: Callable[[], None]) -> bool:
        """Have something called, in a signal handler, when the size may have changed; False: look now and then."""

    def enter(self) -> None:
        """Let every key through to the node. May be called again, after somebody else has changed the terminal."""

    def leave(self) -> None:
        """Put everything back as it was. May be called again."""

    def size(self) -> tuple[int, int]:
        """Columns and rows."""

    def read(self) -> bytes:
        """Wait for input and return some; ``b""`` at its end."""

    def write(self, data: memoryview) -> int:
        """Write output; return how many bytes of it."""


def terminal() -> Terminal:
    """Return the terminal of this process."""
    if sys.platform == "win32":
        from sm_ssh_entry.connect.terminal.win32 import WindowsTerminal

        return WindowsTerminal()
    from sm_ssh_entry.connect.terminal.posix import PosixTerminal

    return PosixTerminal()


def size_without_terminal() -> tuple[int, int]:
    """Return the size that COLUMNS and LINES say, as other programs take it where there is no terminal."""
    named = (os.environ.get("COLUMNS", ""), os.environ.get("LINES", ""))
    cols, rows = (
        int(text) if text.isdecimal() and 0 < int(text) <= _LARGEST else default
        for text, default in zip(named, DEFAULT_SIZE, strict=True)
    )
    return cols, rows
