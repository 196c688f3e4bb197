"""The Windows console as numbers: which modes a shell needs, what the console's answers mean. No call is made here.

Sources: the console's documentation at learn.microsoft.com ("SetConsoleMode", "Console Virtual Terminal Sequences",
"ReadConsole", "CONSOLE_SCREEN_BUFFER_INFO").
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace

ENABLE_PROCESSED_INPUT = 0x0001
ENABLE_LINE_INPUT = 0x0002
ENABLE_ECHO_INPUT = 0x0004
ENABLE_MOUSE_INPUT = 0x0010
ENABLE_QUICK_EDIT_MODE = 0x0040
ENABLE_EXTENDED_FLAGS = 0x0080
ENABLE_VIRTUAL_TERMINAL_INPUT = 0x0200

ENABLE_PROCESSED_OUTPUT = 0x0001
ENABLE_WRAP_AT_EOL_OUTPUT = 0x0002
ENABLE_VIRTUAL_TERMINAL_PROCESSING = 0x0004
DISABLE_NEWLINE_AUTO_RETURN = 0x0008

UTF_8 = 65001


@dataclass(frozen=True)
class Modes:
    """What GetConsoleMode, GetConsoleCP and GetConsoleOutputCP answer, or what is to be set.

    Attributes:
        input: mode of the input handle.
        output: mode of the output handle.
        input_page: code page of the input.
        output_page: code page of the output.
    """

    input: int
    output: int
    input_page: int
    output_page: int


@dataclass(frozen=True)
class Window:
    """CONSOLE_SCREEN_BUFFER_INFO.srWindow: the visible part of the buffer, each border included, counted from 0."""

    left: int
    top: int
    right: int
    bottom: int


def raw(before: Modes) -> Modes:
    """Return the modes for a session: keys as an xterm sends them, output as an xterm understands it, UTF-8.

    Without processed input, Ctrl-C is the byte 03; without line input, every key comes at once. A newline only moves
    down: the node's terminal has said what it wants. What belongs to the user's taste, such as quick edit, stays.

    Args:
        before: what the console says.
    """
    taken = ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT | ENABLE_MOUSE_INPUT
    given = (
        ENABLE_PROCESSED_OUTPUT
        | ENABLE_WRAP_AT_EOL_OUTPUT
        | ENABLE_VIRTUAL_TERMINAL_PROCESSING
        | DISABLE_NEWLINE_AUTO_RETURN
    )
    return Modes(before.input & ~taken | ENABLE_VIRTUAL_TERMINAL_INPUT, before.output | given, UTF_8, UTF_8)


def candidates(before: Modes) -> list[Modes]:
    """Return the modes to try, the best first: a console refuses a flag that it does not know.

    Args:
        before: what the console says.
    """
    best = raw(before)
    return [best, replace(best, output=best.output & ~DISABLE_NEWLINE_AUTO_RETURN | before.output)]


def restoring(before: Modes) -> Modes:
    """Return what to set at the end; quick edit is only heeded together with the extended flags.

    Args:
        before: what the console said at the beginning.
    """
    return replace(before, input=before.input | ENABLE_EXTENDED_FLAGS)


def size(window: Window) -> tuple[int, int] | None:
    """Return columns and rows of the visible part; None: the console has none."""
    cols, rows = window.right - window.left + 1, window.bottom - window.top + 1
    return (cols, rows) if cols > 0 and rows > 0 else None


class Keys:
    """From ReadConsoleW's units to bytes. A character beyond the first 65,536 may come in two reads."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")

    def take(self, units: bytes) -> bytes:
        """Take what was read; ``b""``: half a character, the rest will come.

        Args:
            units: UTF-16, two bytes a unit.
        """
        return self._decoder.decode(units).encode("utf-8")


class Text:
    """From the node's bytes to what WriteConsoleW takes. A character may be cut by the end of a message."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, data: bytes | memoryview) -> bytes:
        """Return UTF-16 units for the console.

        Args:
            data: UTF-8, cut anywhere.
        """
        return self._decoder.decode(bytes(data)).encode("utf-16-le", "surrogatepass")
