"""The private folder: modes, atomic writing, and a lock that outlives nobody."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sm_ssh_entry.connect import folder
from sm_ssh_entry.errors import SmSshError


def test_folders_are_the_owners_alone(home: Path) -> None:
    made = folder.private_folder()
    assert made == home / ".ssh" / "sm-ssh"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (made, made.parent)} == {0o700}


def test_an_existing_ssh_folder_keeps_its_mode(home: Path) -> None:
    (home / ".ssh").mkdir(mode=0o755)
    folder.private_folder()
    assert stat.S_IMODE((home / ".ssh").stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_made_is_one_line(home: Path) -> None:
    (home / ".ssh").write_text("not a folder")
    with pytest.raises(SmSshError, match="cannot make") as failed:
        folder.private_folder()
    assert failed.value.hint


@pytest.mark.parametrize("value", ["", "relative"])
def test_no_home_is_not_the_working_folder(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOME", value)
    with pytest.raises(SmSshError, match="home"):
        folder.private_folder()


def test_writing_replaces_and_leaves_nothing_else(home: Path) -> None:
    path = folder.private_folder() / "file"
    for text in ("one\n", "größe\n"):
        folder.write(path, text)
        assert folder.read(path) == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert folder.read(path.parent / "none") == ""


def test_a_failed_write_keeps_the_old_text(home: Path) -> None:
    path = folder.private_folder() / "taken"
    path.mkdir()
    with pytest.raises(SmSshError, match="cannot write"):
        folder.write(path, "x")
    assert list(path.parent.iterdir()) == [path]


def test_a_lock_of_a_dead_process_is_taken_over(home: Path) -> None:
    path = folder.private_folder() / "file"
    lock = path.with_name("file.lock")
    lock.touch()
    os.utime(lock, (1.0, 1.0))
    with folder.locked(path):
        assert lock.exists()
    assert not lock.exists()
