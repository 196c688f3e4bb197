"""The calls of the Windows console against one that answers as kernel32 does: through ctypes, handle by handle."""

# ruff: noqa: N802 - the names are kernel32's

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import pytest

from sm_ssh_entry.connect.terminal.console import Modes
from sm_ssh_entry.connect.terminal.win32 import WindowsTerminal
from sm_ssh_entry.errors import ToolMissing

INPUT, OUTPUT = 0x10, 0x14
BEFORE = Modes(0x01F7, 0x0003, 850, 437)
KNOWN_OUTPUT_FLAGS = 0x000F


@dataclass
class Kernel:
    """A console, or what stands in its place."""

    modes: dict[int, int] = field(default_factory=lambda: {INPUT: BEFORE.input, OUTPUT: BEFORE.output})
    pages: list[int] = field(default_factory=lambda: [BEFORE.input_page, BEFORE.output_page])
    window: tuple[int, int, int, int] = (0, 100, 99, 129)
    known: int = KNOWN_OUTPUT_FLAGS
    typed: list[str] = field(default_factory=list)
    shown: bytes = b""
    takes_units: int = 1 << 30

    @property
    def state(self) -> Modes:
        return Modes(self.modes[INPUT], self.modes[OUTPUT], *self.pages)

    def GetStdHandle(self, which: int) -> int:
        return {-10: INPUT, -11: OUTPUT}[which]

    def GetConsoleMode(self, handle: ctypes.c_void_p, mode: Any) -> int:
        if handle.value not in self.modes:
            return 0
        mode._obj.value = self.modes[handle.value]
        return 1

    def SetConsoleMode(self, handle: ctypes.c_void_p, mode: int) -> int:
        assert handle.value is not None
        if handle.value == OUTPUT and mode & ~self.known:
            return 0  # ERROR_INVALID_PARAMETER
        self.modes[handle.value] = mode
        return 1

    def GetConsoleCP(self) -> int:
        return self.pages[0]

    def GetConsoleOutputCP(self) -> int:
        return self.pages[1]

    def SetConsoleCP(self, page: int) -> int:
        self.pages[0] = page
        return 1

    def SetConsoleOutputCP(self, page: int) -> int:
        self.pages[1] = page
        return 1

    def GetConsoleScreenBufferInfo(self, handle: ctypes.c_void_p, info: Any) -> int:
        assert ctypes.sizeof(info._obj) == 22  # CONSOLE_SCREEN_BUFFER_INFO
        if handle.value not in self.modes:
            return 0
        window = info._obj.window
        window.left, window.top, window.right, window.bottom = self.window
        return 1

    def ReadConsoleW(self, handle: ctypes.c_void_p, buffer: Any, units: int, count: Any, control: None) -> int:
        if not self.typed:
            return 0
        data = self.typed.pop(0).encode("utf-16-le", "surrogatepass")
        assert len(data) <= 2 * units
        ctypes.memmove(buffer, data, len(data))
        count._obj.value = len(data) // 2
        return 1

    def WriteConsoleW(self, handle: ctypes.c_void_p, text: bytes, units: int, count: Any, reserved: None) -> int:
        count._obj.value = min(units, self.takes_units)
        self.shown += text[: 2 * count._obj.value]
        return 1


def test_the_console_is_raw_in_a_session_and_as_before_after_it() -> None:
    kernel = Kernel()
    terminal = WindowsTerminal(kernel)
    assert terminal.interactive
    terminal.enter()
    assert kernel.state == Modes(0x03E0, 0x000F, 65001, 65001)
    terminal.enter()
    terminal.leave()
    assert kernel.state == BEFORE
    kernel.modes[INPUT] = 1
    terminal.leave()
    assert kernel.modes[INPUT] == 1


def test_a_console_that_knows_less_will_do() -> None:
    kernel = Kernel(known=0x0007)
    terminal = WindowsTerminal(kernel)
    terminal.enter()
    assert kernel.modes[OUTPUT] == 0x0007
    terminal.leave()
    assert kernel.state == BEFORE


def test_a_console_without_sequences_says_so_and_stays_as_it_was() -> None:
    kernel = Kernel(known=0x0003)
    with pytest.raises(ToolMissing, match="terminal sequences"):
        WindowsTerminal(kernel).enter()
    assert kernel.state == BEFORE


def test_the_size_follows_the_window() -> None:
    kernel = Kernel()
    terminal = WindowsTerminal(kernel)
    assert terminal.size() == (100, 30)
    kernel.window = (0, 0, 131, 42)
    assert terminal.size() == (132, 43)
    assert not terminal.watch(lambda: None)


def test_keys_come_as_utf_8_and_half_a_character_is_waited_for() -> None:
    first, second = "😀".encode("utf-16-le")[:2], "😀".encode("utf-16-le")[2:]
    halves = [half.decode("utf-16-le", "surrogatepass") for half in (first, second)]
    terminal = WindowsTerminal(Kernel(typed=["ls\r", "\x03", *halves, "ü"]))
    assert [terminal.read() for _ in range(5)] == [b"ls\r", b"\x03", "😀".encode(), "ü".encode(), b""]


def test_output_is_written_whole_although_the_console_takes_it_in_parts() -> None:
    kernel = Kernel(takes_units=3)
    terminal = WindowsTerminal(kernel)
    data = "grün 😀 text".encode()
    assert terminal.write(memoryview(data[:4])) + terminal.write(memoryview(data[4:])) == len(data)
    assert kernel.shown.decode("utf-16-le") == "grün 😀 text"


def test_pipes_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "99")
    monkeypatch.setenv("LINES", "none")
    kernel = Kernel(modes={})
    terminal = WindowsTerminal(kernel)
    assert not terminal.interactive
    terminal.enter()
    terminal.leave()
    assert kernel.modes == {}
    assert terminal.size() == (99, 24)
