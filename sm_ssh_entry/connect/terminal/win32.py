"""The calls of the Windows console. All that can be decided without one is in ``console``."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

from sm_ssh_entry.connect.terminal import console
from sm_ssh_entry.connect.terminal.local import size_without_terminal
from sm_ssh_entry.errors import ToolMissing

_STDIN, _STDOUT = 0, 1
_STD_INPUT_HANDLE, _STD_OUTPUT_HANDLE = -10, -11
_CHUNK = 1 << 16
_UNITS = 4096


class _Coord(ctypes.Structure):
    _fields_ = (("x", ctypes.c_short), ("y", ctypes.c_short))


class _Rectangle(ctypes.Structure):
    _fields_ = tuple((side, ctypes.c_short) for side in ("left", "top", "right", "bottom"))


class _ScreenBuffer(ctypes.Structure):
    _fields_ = (
        ("size", _Coord),
        ("cursor", _Coord),
        ("attributes", ctypes.c_ushort),
        ("window", _Rectangle),
        ("largest", _Coord),
    )


class WindowsTerminal:
    """The console of this process, or the pipes in its place.

    Args:
        kernel: kernel32; None: this system's.
    """

    def __init__(self, kernel: Any = None) -> None:
        self._kernel = kernel or _kernel32()
        self._input = ctypes.c_void_p(self._kernel.GetStdHandle(_STD_INPUT_HANDLE))
        self._output = ctypes.c_void_p(self._kernel.GetStdHandle(_STD_OUTPUT_HANDLE))
        self._input_is_console = self._mode(self._input) is not None
        self._output_is_console = self._mode(self._output) is not None
        self.interactive = self._input_is_console and self._output_is_console
        self._before: console.Modes | None = None
        self._keys, self._text = console.Keys(), console.Text()

    def watch(self, changed: Callable[[], None]) -> bool:  # noqa: ARG002 - the protocol's signature
        """No signal tells of a new size here."""
        return False

    def enter(self) -> None:
        """Set the modes of a session.

        Raises:
            ToolMissing: the console is older than virtual terminals.
        """
        if not self.interactive:
            return
        if self._before is None:
            self._before = console.Modes(
                self._mode(self._input) or 0,
                self._mode(self._output) or 0,
                self._kernel.GetConsoleCP(),
                self._kernel.GetConsoleOutputCP(),
            )
        if not any(self._set(modes) for modes in console.candidates(self._before)):
            self.leave()
            raise ToolMissing(
                "this console does not understand terminal sequences",
                hint="use Windows Terminal, or Windows 10 version 1809 and later",
            )

    def leave(self) -> None:
        """Set the modes of before."""
        before, self._before = self._before, None
        if before is not None:
            self._set(console.restoring(before))

    def size(self) -> tuple[int, int]:
        """Ask the console."""
        info = _ScreenBuffer()
        if self._kernel.GetConsoleScreenBufferInfo(self._output, ctypes.byref(info)):
            window = info.window
            found = console.size(console.Window(window.left, window.top, window.right, window.bottom))
            if found:
                return found
        return size_without_terminal()

    def read(self) -> bytes:
        """Read keys; a console gives them as UTF-16, a pipe as they are."""
        if not self._input_is_console:
            return os.read(_STDIN, _CHUNK)
        units, count = ctypes.create_string_buffer(2 * _UNITS), ctypes.c_uint32()
        while True:
            done = self._kernel.ReadConsoleW(self._input, units, _UNITS, ctypes.byref(count), None)
            if not done or not count.value:
                return b""
            data = self._keys.take(units.raw[: 2 * count.value])
            if data:
                return data

    def write(self, data: memoryview) -> int:
        """Write to the console, or to the pipe in its place."""
        if not self._output_is_console:
            return os.write(_STDOUT, data)
        units = self._text.take(data)
        while units:
            piece, count = units[: 2 * _UNITS], ctypes.c_uint32()
            if not self._kernel.WriteConsoleW(self._output, piece, len(piece) // 2, ctypes.byref(count), None):
                raise OSError("the console takes no output")
            units = units[2 * count.value :]
        return len(data)

    def _mode(self, handle: ctypes.c_void_p) -> int | None:
        mode = ctypes.c_uint32()
        return mode.value if self._kernel.GetConsoleMode(handle, ctypes.byref(mode)) else None

    def _set(self, modes: console.Modes) -> bool:
        done = (
            self._kernel.SetConsoleMode(self._input, modes.input),
            self._kernel.SetConsoleMode(self._output, modes.output),
        )
        self._kernel.SetConsoleCP(modes.input_page)
        self._kernel.SetConsoleOutputCP(modes.output_page)
        return all(done)


def _kernel32() -> Any:
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.GetStdHandle.restype = ctypes.c_void_p  # a handle has 64 bits
    return kernel
