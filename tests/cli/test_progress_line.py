"""The line that says how far something is: on a terminal, in a pipe, and not at all where it was quick."""

from __future__ import annotations

import io

import pytest

from sm_ssh_entry.cli import progress_line
from sm_ssh_entry.cli.progress_line import ProgressLine
from tests.waiting import wait_until


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let standard error be a terminal. Not a fixture: pytest sets its own again before the test's body."""
    made = Terminal()
    monkeypatch.setattr("sys.stderr", made)
    return made


def test_what_is_quick_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with ProgressLine("asking") as line:
        line.show("1 so far")
    assert terminal.getvalue() == ""


def test_a_terminal_is_told_that_it_waits_and_the_line_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setattr(progress_line, "_AFTER", 0.01)
    monkeypatch.setattr(progress_line, "_EVERY_ON_TERMINAL", 0.0)
    with ProgressLine("asking") as line:
        wait_until(lambda: "asking" in terminal.getvalue())
        line.show("2 of 3")
    assert terminal.getvalue().endswith("2 of 3\r\x1b[K")
    line.show("late")
    assert "late" not in terminal.getvalue()


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    monkeypatch.setattr(progress_line, "_EVERY_IN_PIPE", 0.0)
    with ProgressLine("asking") as line:
        line.show("2 of 3")
    assert pipe.getvalue() == "sm-ssh: 2 of 3\n"
