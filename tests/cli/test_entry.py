from __future__ import annotations

import json
from pathlib import Path

import pytest

from sm_ssh_entry.cli import entry
from sm_ssh_entry.contract import Paths
from tests.boot.test_start import FINGERPRINT, KEY


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("SM_SSH_ROOT", str(tmp_path))
    monkeypatch.delenv("START_SSH", raising=False)
    return Paths(str(tmp_path))


def test_status_of_a_container_without_ssh(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["status"]) == 0
    assert capsys.readouterr().out.split() == ["phase", "off"]
    assert entry.main(["health"]) == 0
    assert capsys.readouterr().out == "SSH is off\n"
    assert entry.main(["deregister"]) == 0


def test_status_as_table_and_json(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    paths.run.mkdir(parents=True)
    found = {"phase": "online", "node_id": "mi-1", "services": 7, "times": {"started": 100.0, "online": 101.5}}
    paths.status.write_text(json.dumps(found))
    assert entry.main(["status"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [["phase", "online"], ["node_id", "mi-1"], ["+0.00", "s", "started"], ["+1.50", "s", "online"]]
    assert entry.main(["status", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == found | {"sessions": {"open": 0, "last": 0.0}}
    assert entry.main(["health"]) == 1
    assert capsys.readouterr().err == "the SSH services are not running\n"


def test_authorize(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["authorize", KEY]) == 25
    assert capfd.readouterr().err.startswith("[sm-ssh] ERROR SSH is not on in this container (hint: ")
    paths.run.mkdir(parents=True)
    for words in ([KEY], [*KEY.split(), "a comment"]):
        assert entry.main(["authorize", *words]) == 0
        assert capfd.readouterr().out == f"authorized SHA256:{FINGERPRINT}\n"
    assert entry.main(["authorize", "not a key"]) == 2
    assert entry.main(["authorize"]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 2


def test_unknown_word_is_one_line(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["status", "--colour"]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
