from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.boot import status
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(str(tmp_path))
    status.prepare(made)
    return made


def test_prepare_makes_a_folder_of_our_own(paths: Paths) -> None:
    assert paths.run.stat().st_mode & 0o777 == 0o700
    paths.run.chmod(0o777)
    status.prepare(paths)
    assert paths.run.stat().st_mode & 0o777 == 0o700


def test_prepare_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(SetupFailed, match="cannot write"):
        status.prepare(Paths(str(tmp_path)))


def test_update_keeps_removes_and_forgets(paths: Paths) -> None:
    status.update(paths, phase="starting", mark="started")
    status.update(paths, error="e", node_id=None, mark="failed")
    found = status.read(paths)
    assert (found["phase"], found["error"], list(found["times"])) == ("starting", "e", ["started", "failed"])
    status.update(paths, error=None)
    assert "error" not in status.read(paths)
    status.update(paths, fresh=True, phase="starting")
    assert status.read(paths) == {"phase": "starting"}
    assert paths.status.stat().st_mode & 0o777 == 0o600


def test_writers_do_not_lose_each_others_keys(paths: Paths) -> None:
    def write(number: int) -> None:
        changes: dict[str, Any] = {f"key{number}": number}
        status.update(paths, **changes)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert status.read(paths) == {f"key{number}": number for number in range(40)}


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "\x00"])
def test_malformed_file_is_empty(paths: Paths, text: str) -> None:
    paths.status.write_text(text)
    assert status.read(paths) == {}
    status.update(paths, phase="x")
    assert status.read(paths) == {"phase": "x"}
    paths.status.write_text(json.dumps({"times": 3}))
    status.update(paths, mark="m")
    assert list(status.read(paths)["times"]) == ["m"]


def test_missing_folder_changes_nothing(tmp_path: Path) -> None:
    status.update(Paths(str(tmp_path / "none")), phase="x")
    assert status.read(Paths(str(tmp_path / "none"))) == {}
