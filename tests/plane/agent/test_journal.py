"""What a worker that is replaced still knows about commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.plane.agent.journal import DUPLICATE_SECONDS, REPLY_SECONDS, Journal, Unfinished


class Clock:
    """Runs ahead of the real one: file times are real."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        import time

        return time.time() + self.ahead


def test_a_command_id_is_taken_once(tmp_path: Path) -> None:
    folder = tmp_path / "commands"
    assert Journal(folder).begin("c-1")
    assert not Journal(folder).begin("c-1")
    Journal(folder).finish("c-1", b"reply")
    Journal(folder).received("c-1")
    assert not Journal(folder).begin("c-1")
    assert Journal(folder).begin("c-2")


def test_the_next_worker_finds_what_is_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "commands")
    assert journal.unfinished() == []
    for name in ("a-running", "b-ended", "c-received"):
        journal.begin(name)
    journal.finish("b-ended", b"reply")
    journal.finish("c-received", b"reply")
    journal.received("c-received")
    found = Journal(tmp_path / "commands").unfinished()
    assert found == [Unfinished("a-running", b""), Unfinished("b-ended", b"reply")]


def test_ids_and_results_are_forgotten_in_time(tmp_path: Path) -> None:
    clock = Clock()
    journal = Journal(tmp_path / "commands", clock)
    for name in ("running", "ended", "received"):
        journal.begin(name)
    journal.finish("ended", b"reply")
    journal.finish("received", b"reply")
    journal.received("received")
    clock.ahead = DUPLICATE_SECONDS + 60
    assert journal.begin("received")
    clock.ahead = REPLY_SECONDS + 60
    # What still runs is never forgotten: it may take two days.
    assert [left.command_id for left in journal.unfinished()] == ["received", "running"]


def test_results_are_private(tmp_path: Path) -> None:
    Journal(tmp_path / "commands").begin("c")
    assert (tmp_path / "commands" / "c").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command_id", ["", "../x", "a/b", "a.b", "x" * 65, "a\n"])
def test_an_id_never_leaves_the_folder(command_id: str) -> None:
    assert not Journal.valid(command_id)
