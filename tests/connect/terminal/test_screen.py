from __future__ import annotations

import pytest

from sm_ssh_entry.connect.terminal.screen import Screen


def left_by(*pieces: bytes) -> bytes:
    """What undoes the output of a program."""
    screen = Screen()
    for piece in pieces:
        screen.follow(piece)
    return screen.undoing()


@pytest.mark.parametrize(
    "text",
    [b"", b"plain text\r\n", b"\x1b[31mred\x1b[0m", b"\x1b[?1049h\x1b[?1049l", b"\x1b[?25l\x1b[?25h", b"\x1b[?7h"],
)
def test_a_program_that_tidies_up_leaves_nothing(text: bytes) -> None:
    assert left_by(text) == b""


def test_what_is_left_is_undone() -> None:
    undone = left_by(b"\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=\x1b[?25l\x1b[?1000;1006htext")
    assert {b"\x1b[?1049l", b"\x1b[?1l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1006l"} == {
        b"\x1b[" + one for one in undone.split(b"\x1b[")[1:-1]
    }
    assert undone.endswith(b"\x1b[0m")


def test_a_sequence_may_be_cut_anywhere() -> None:
    text = b"text\x1b[?25l\x1b[?2004hmore"
    whole = left_by(text)
    for at in range(len(text)):
        assert left_by(text[:at], text[at:]) == whole


def test_an_endless_sequence_is_not_kept() -> None:
    screen = Screen()
    for _ in range(1000):
        screen.follow(b"\x1b[?" + b"1" * 1000)
    assert len(screen._rest) < 100
