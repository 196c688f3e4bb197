"""The lock: sorted, whole, and distrusted when it is read."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images import files, lockfile
from tests.images.heard import entry

ONE = entry("wheels/b.whl", "https://files.example/b.whl", b"b")
OTHER = entry("wheels/a.whl", "https://files.example/a.whl", b"a")


def test_what_is_written_is_read_sorted(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    lockfile.write(path, [ONE, OTHER])
    assert list(lockfile.read(path).values()) == [OTHER, ONE]
    assert [row["file"] for row in json.loads(path.read_text())] == ["wheels/a.whl", "wheels/b.whl"]
    text = path.read_text()
    lockfile.write(path, [OTHER, ONE])
    assert path.read_text() == text
    assert [one.name for one in path.parent.iterdir()] == ["lock"]


def test_no_lock_and_an_empty_one_hold_nothing(tmp_path: Path) -> None:
    assert lockfile.read(tmp_path / "lock") == {}
    lockfile.write(tmp_path / "lock", [])
    assert lockfile.read(tmp_path / "lock") == {}


def test_what_has_no_checksum_is_never_written(tmp_path: Path) -> None:
    lockfile.write(tmp_path / "lock", [replace(ONE, sha256="", size=-1), OTHER])
    assert list(lockfile.read(tmp_path / "lock")) == ["wheels/a.whl"]


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../outside"},
        {"file": "/etc/passwd"},
        {"file": "wheels/../../x"},
        {"file": "C:\\x"},
        {"file": "c:/x"},
        {"file": ""},
        {"sha256": "no"},
        {"sha256": "G" * 64},
        {"size": -1},
        {"size": "1"},
        {"url": None},
        {"more": 1},
    ],
    ids=str,
)
def test_an_entry_that_could_do_harm_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "lock").write_text(json.dumps([{**asdict(ONE), **change}]))
    with pytest.raises(BadInput):
        lockfile.read(tmp_path / "lock")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[[]]", "\x00"])
def test_what_is_no_lock_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    with pytest.raises(BadInput, match="lock"):
        lockfile.read(tmp_path / "lock")


def test_the_shipped_lock_holds_what_never_changes_and_nothing_of_a_machine() -> None:
    path = files.source() / "images" / "artifacts.lock"
    held = list(lockfile.read(path).values())
    assert held
    assert held == sorted(held)
    assert all(one.url.startswith("https://files.pythonhosted.org/packages/") for one in held)
    assert {one.source for one in held} == {"pypi", "stand-in"}
