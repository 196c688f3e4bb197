from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.boot import status, user_command
from sm_ssh_entry.contract import Paths
from tests.boot.container import Container
from tests.end_to_end.machine import processes


def test_any_words_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(str(tmp_path))
    status.prepare(paths)
    assert user_command.kept(paths) is None
    monkeypatch.chdir(tmp_path)
    words = ["train", "", "two  words", "line\nbreak", "ü", os.fsdecode(b"\xff\xfe")]
    user_command.keep(paths, words, os.getpid())
    found = user_command.kept(paths)
    assert found is not None
    assert (found.words, found.folder) == (words, str(tmp_path))
    assert stat.S_IMODE((paths.run / user_command.FILE).stat().st_mode) == 0o600
    # A stub that starts a stub: the first one's words are the job's.
    user_command.keep(paths, ["other"], os.getpid())
    assert user_command.kept(paths) == found
    # Another start of the same container.
    user_command.keep(paths, ["other"], os.getppid())
    assert (user_command.kept(paths) or found).words == ["other"]
    (paths.run / user_command.FILE).write_text("[]")
    assert user_command.kept(paths) is None


def test_where_nobody_waits_the_stub_has_it_kept(container: Container) -> None:
    script = container.paths.home / "train"
    script.write_text("#!/bin/sh\nread _\nexit 3\n")
    script.chmod(0o755)
    job = container.spawn(str(script), "a b", "--secret=x", cwd=container.paths.home, stdin=subprocess.PIPE)
    container.wait_phase("online")
    found = user_command.kept(container.paths)
    assert found is not None
    assert (found.words, found.folder) == ([str(script), "a b", "--secret=x"], str(container.paths.home))
    assert container.status["main"] == job.pid
    # Who looks for the job by its command line finds it once.
    assert processes(lambda words, _: str(script) in words) == [job.pid]
    # What a login starts by our stub is not the job.
    done = subprocess.run([str(container.stub), "true"], env=container.env, capture_output=True, check=False)
    assert done.returncode == 0
    assert user_command.kept(container.paths) == found
    job.communicate(b"\n", timeout=120)
    assert job.returncode == 3


def test_a_state_folder_that_cannot_be_written_is_not_told_twice(tmp_path: Path) -> None:
    words = [sys.executable, "-I", "-m", "sm_ssh_entry.boot.user_command", "1", "--", "train"]
    done = subprocess.run(words, env={"SM_SSH_ROOT": "/proc/none"}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
