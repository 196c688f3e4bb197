"""The user's own lock wins, and is the only one written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sm_ssh_entry.images import lockfile
from sm_ssh_entry.images.locks import Locks
from tests.images.heard import entry

OLD = entry("wheels/a-1.whl", "https://files.example/a-1.whl", b"1")
NEW = entry("wheels/a-2.whl", "https://files.example/a-2.whl", b"2")
ELSE = entry("agent/amd64/x.deb", "https://s3.example/x.deb", b"3", component="agent", source="official")


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    lockfile.write(tmp_path / "shipped", [OLD])
    return tmp_path / "shipped"


def test_the_shipped_one_serves_until_there_is_an_own_one(shipped: Path, tmp_path: Path) -> None:
    locks = Locks(shipped, tmp_path / "own")
    assert locks.find("wheels", "pypi", "wheels") == [OLD]
    assert locks.keep([NEW])
    assert locks.find("wheels", "pypi", "wheels") == [NEW]
    assert Locks(shipped, tmp_path / "own").find("wheels", "pypi", "wheels") == [NEW]
    assert list(lockfile.read(shipped).values()) == [OLD]


def test_what_is_shipped_is_not_copied(shipped: Path, tmp_path: Path) -> None:
    assert not Locks(shipped, tmp_path / "own").keep([OLD])
    assert not (tmp_path / "own").exists()


def test_an_own_lock_that_is_to_be_enough_by_itself_has_the_shipped_one_s_too(shipped: Path, tmp_path: Path) -> None:
    assert Locks(shipped, tmp_path / "own").keep([OLD], whole=True)
    assert list(lockfile.read(tmp_path / "own").values()) == [OLD]
    assert not Locks(shipped, tmp_path / "own").keep([OLD], whole=True)


def test_a_folder_is_locked_whole_and_the_others_stay(shipped: Path, tmp_path: Path) -> None:
    locks = Locks(shipped, tmp_path / "own")
    locks.keep([OLD, NEW, ELSE])
    assert locks.keep([NEW])
    assert set(lockfile.read(tmp_path / "own").values()) == {NEW, ELSE}


def test_a_lock_of_another_version_is_none(shipped: Path, tmp_path: Path) -> None:
    locks = Locks(shipped, tmp_path / "own")
    locks.keep([ELSE])
    assert locks.find("agent", "official", "agent/amd64", "1.0") == [ELSE]
    assert locks.find("agent", "official", "agent/amd64", "2.0") == []
    locks.keep([replace(ELSE, version="2.0")])
    assert locks.find("agent", "official", "agent/amd64", "1.0") == []
