"""The Windows console, from the numbers that its calls answer: Windows Terminal's, conhost's, and made-up ones."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect.terminal import console
from sm_ssh_entry.connect.terminal.console import Keys, Modes, Text, Window

# What GetConsoleMode, GetConsoleCP and GetConsoleOutputCP answer in a new cmd.exe of Windows 10: processed, line, echo,
# mouse, insert, quick edit, extended, auto position (0x1F7); processed and wrapped output (3); code page 850.
CONHOST = Modes(0x01F7, 0x0003, 850, 850)
# PowerShell in Windows Terminal: virtual terminal output is on already.
TERMINAL = Modes(0x01F7, 0x0007, 65001, 65001)
# What some other program may have left.
RAW_ALREADY = Modes(0x0200, 0x000F, 65001, 65001)


@pytest.mark.parametrize("before", [CONHOST, TERMINAL, RAW_ALREADY])
def test_every_key_is_the_nodes(before: Modes) -> None:
    modes = console.raw(before)
    assert modes.input & 0x0200, "arrows are escape sequences"
    assert not modes.input & 0x0001, "Ctrl-C is a byte"
    assert not modes.input & 0x0002, "no line is waited for"
    assert not modes.input & 0x0004, "no echo"
    assert not modes.input & 0x0010, "the mouse is the terminal's"
    assert modes.output & 0x0001
    assert modes.output & 0x0004, "escape sequences are obeyed"
    assert modes.output & 0x0008, "a newline only moves down"
    assert (modes.input_page, modes.output_page) == (65001, 65001)


def test_the_users_own_settings_stay() -> None:
    assert console.raw(CONHOST).input == 0x01E0 | 0x0200  # insert, quick edit, extended, auto position
    assert console.restoring(CONHOST) == CONHOST


def test_quick_edit_comes_back_only_with_the_extended_flags() -> None:
    assert console.restoring(Modes(0x0047, 3, 437, 437)) == Modes(0x00C7, 3, 437, 437)


def test_a_console_that_does_not_know_a_flag_is_asked_for_less() -> None:
    best, less = console.candidates(CONHOST)
    assert best == console.raw(CONHOST)
    assert best.output == less.output | 0x0008
    assert less.output == 0x0007
    # It was set before: then it is known.
    assert console.candidates(RAW_ALREADY)[1].output & 0x0008


@pytest.mark.parametrize(
    ("window", "size"),
    [
        (Window(0, 0, 119, 29), (120, 30)),
        # The buffer is 9,001 lines long and scrolled to its end: what counts is what can be seen.
        (Window(0, 8971, 119, 9000), (120, 30)),
        (Window(0, 0, -1, -1), None),
    ],
)
def test_the_size_is_that_of_the_visible_part(window: Window, size: tuple[int, int] | None) -> None:
    assert console.size(window) == size


def test_keys_are_bytes_even_when_a_character_comes_in_two_reads() -> None:
    text = "añ€😀\x03\x1b[A"
    units = text.encode("utf-16-le")
    keys = Keys()
    assert b"".join(keys.take(units[at : at + 2]) for at in range(0, len(units), 2)) == text.encode()
    assert Keys().take(units) == text.encode()


def test_half_a_character_that_stays_alone_does_no_harm() -> None:
    keys = Keys()
    assert keys.take("😀".encode("utf-16-le")[:2]) == b""
    assert keys.take(b"a\x00") == "\ufffda".encode()


def test_text_is_put_together_wherever_it_was_cut() -> None:
    data = "añ€😀\x1b[31m".encode()
    for at in range(len(data)):
        text = Text()
        units = text.take(data[:at]) + text.take(memoryview(data)[at:])
        assert units.decode("utf-16-le") == "añ€😀\x1b[31m"


def test_bytes_that_are_no_text_are_marked() -> None:
    assert Text().take(b"a\xffb").decode("utf-16-le") == "a\ufffdb"
