from __future__ import annotations

import os
import termios
from collections.abc import Iterator

import pytest

from sm_ssh_entry.connect.terminal import local
from sm_ssh_entry.connect.terminal.posix import PosixTerminal


@pytest.fixture
def tty() -> Iterator[tuple[int, int]]:
    """A terminal: the end of whoever types and sees, and that of programs."""
    leader, follower = os.openpty()
    yield leader, follower
    os.close(leader)
    os.close(follower)


def test_raw_and_back(tty: tuple[int, int]) -> None:
    before = termios.tcgetattr(tty[1])
    terminal = PosixTerminal(tty[1], tty[1])
    assert terminal.interactive
    terminal.enter()
    terminal.enter()
    assert not termios.tcgetattr(tty[1])[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
    os.write(tty[0], b"\x03\x1a")
    assert terminal.read() == b"\x03\x1a"
    assert terminal.write(memoryview(b"a\n")) == 2
    assert os.read(tty[0], 10) == b"a\n"
    terminal.leave()
    terminal.leave()
    assert termios.tcgetattr(tty[1]) == before


def test_without_a_shell_at_hand_it_works_all_the_same(tty: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sm_ssh_entry.connect.terminal.posix._SHELL", "/nowhere/sh")
    before = termios.tcgetattr(tty[1])
    terminal = PosixTerminal(tty[1], tty[1])
    terminal.enter()
    terminal.leave()
    assert termios.tcgetattr(tty[1]) == before


def test_a_pipe_is_no_terminal_and_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    reader, writer = os.pipe()
    terminal = PosixTerminal(reader, writer)
    assert not terminal.interactive
    terminal.enter()
    terminal.leave()
    assert terminal.size() == (80, 24)
    os.close(reader)
    os.close(writer)


def test_keys_from_a_terminal_and_output_to_a_pipe_is_not_a_conversation(tty: tuple[int, int]) -> None:
    reader, writer = os.pipe()
    assert not PosixTerminal(tty[1], writer).interactive
    assert not PosixTerminal(reader, tty[1]).interactive
    os.close(reader)
    os.close(writer)


def test_the_size_comes_from_whichever_end_is_a_terminal(tty: tuple[int, int]) -> None:
    termios.tcsetwinsize(tty[0], (33, 111)) if hasattr(termios, "tcsetwinsize") else None
    reader, writer = os.pipe()
    expected = os.get_terminal_size(tty[1])
    found = PosixTerminal(tty[1], writer).size()
    assert found == ((expected.columns, expected.lines) if expected.columns else local.size_without_terminal())
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("cols", "rows", "size"),
    [("132", "43", (132, 43)), ("", "43", (80, 43)), ("-1", "0", (80, 24)), ("²", "99999999", (80, 24))],
)
def test_the_size_that_the_environment_names(
    cols: str, rows: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", cols)
    monkeypatch.setenv("LINES", rows)
    assert local.size_without_terminal() == size
