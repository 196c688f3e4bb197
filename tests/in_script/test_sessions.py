"""is_last_session_timeout(): a placeholder ends when nobody is connected any more, and not before."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from sm_ssh_entry.contract import Paths
from sm_ssh_entry.in_script import sessions
from tests.boot.container import Container
from tests.in_script.conftest import Script
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process of its own."""
    monkeypatch.setattr(sessions._Seen, "last", time.time())
    monkeypatch.setattr(sessions._Seen, "said", "")


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return the file that stands for what ``sm-ssh-entry status --output json`` says."""
    program = Paths(str(tmp_path)).bin / "sm-ssh-entry"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\n[ "$*" = "status --output json" ] && cat {tmp_path}/told\n')
    program.chmod(0o755)
    return tmp_path / "told"


def ask(told: Path, seconds: float) -> bool:
    return sessions.over(timedelta(seconds=seconds), {**os.environ, "SM_SSH_ROOT": str(told.parent)})


def say(told: Path, number: int, ago: float) -> None:
    told.write_text(json.dumps({"phase": "online", "sessions": {"open": number, "last": time.time() - ago}}))


def test_open_session_is_no_timeout_however_long_ago_it_began(told: Path) -> None:
    say(told, 1, 1000)
    assert ask(told, 0) is False


def test_time_counts_from_the_end_of_the_last_one(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions._Seen, "last", time.time() - 1000)
    say(told, 0, 100)
    assert ask(told, 200) is False
    assert ask(told, 50) is True


def test_what_this_process_has_seen_counts_too(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of the agent alone leaves no time behind."""
    monkeypatch.setattr(sessions._Seen, "last", time.time() - 1000)
    say(told, 1, 1000)
    assert ask(told, 10) is False
    say(told, 0, 1000)
    assert ask(told, 10) is False
    assert ask(told, 0) is True


def test_status_that_cannot_be_read_ends_no_job(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [ask(told, 0) for _ in range(3)] == [False] * 3
    assert capsys.readouterr().err.count("WARNING sm-ssh-entry status does not answer") == 1


def test_where_ssh_is_off_the_time_counts_from_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = {"SM_SSH_ROOT": str(tmp_path)}
    assert sessions.over(timedelta(seconds=100), env) is False
    assert sessions.over(timedelta(0), env) is True
    assert "session timeout" in capsys.readouterr().err


def test_placeholder_ends_by_itself_when_nobody_comes(container: Container, script: Script) -> None:
    job = script("train_placeholder.py", PATIENCE="1", PAUSE="0.1", SSH_WAIT_TIME_SECONDS="1")
    assert job.wait(120) == 0
    assert job.stdout is not None
    assert job.stdout.read() == b"nobody is here any more\n"
    found = json.loads(container.entry("status", "--output", "json").stdout)["sessions"]
    assert found["open"] == 0
    wait_until(lambda: found["last"] > 0, 1)
