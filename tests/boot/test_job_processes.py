"""Which processes are the job's, and how they are named without what may be secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sm_ssh_entry.boot import job_processes
from sm_ssh_entry.contract import Paths
from tests.waiting import wait_until

OUR_PYTHON = "/opt/sm-ssh/bin/python"


class Proc:
    """A /proc made by hand: process 1 is the job's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, pid: int, parent: int, *words: str, exe: str = "", started: int = 0) -> None:
        place = self.folder / str(pid)
        place.mkdir()
        fields = ["S", str(parent), "0", "0", "0", *["0"] * 14, str(started or pid * 100), "0"]
        (place / "stat").write_text(f"{pid} (x) {' '.join(fields)}\n")
        (place / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in words))
        (place / "exe").symlink_to(exe or f"/usr/bin/{words[0] if words else 'none'}")
        (place / "maps").write_text("")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    (tmp_path / "proc").mkdir()
    return Proc(tmp_path / "proc")


def found(proc: Proc, tmp_path: Path, **status: int) -> list[tuple[int, str, bool]]:
    paths = Paths(str(tmp_path))
    paths.run.mkdir(parents=True)
    paths.status.write_text(json.dumps(status))
    return [(job.pid, job.program, job.python) for job in job_processes.find(paths, str(proc.folder))]


def test_the_jobs_own_come_first_and_what_is_ours_or_a_logins_does_not_come(proc: Proc, tmp_path: Path) -> None:
    proc.add(9, 1, OUR_PYTHON, "-I", "-m", "sm_ssh_entry.boot.supervise", "--job", "7")
    proc.add(11, 9, "sshd", "-D")
    proc.add(12, 11, "python3", "mine.py")
    proc.add(13, 12, OUR_PYTHON, "-I", "-m", "sm_ssh_entry.cli.entry", "rerun")
    proc.add(14, 13, "python3", "train.py", "--again")
    proc.add(7, 1, "sh", "/usr/local/bin/train", started=5000)
    proc.add(20, 7, "python3", "-u", "train.py", "--token", "hunter2")
    proc.add(22, 20, "python3.11", "-W", "ignore", "-m", "torch.distributed.run")
    proc.add(21, 20)
    proc.add(99, 1, "python3", "of-another.py")
    assert found(proc, tmp_path, main=7, services=9) == [
        (7, "sh", False),
        (14, "python3 train.py", True),
        (20, "python3 train.py", True),
        (22, "python3.11 -m torch.distributed.run", True),
    ]


def test_a_job_that_is_not_there_has_no_processes(proc: Proc, tmp_path: Path) -> None:
    proc.add(20, 1, "python3", "of-another.py")
    assert found(proc, tmp_path, main=7) == []


@pytest.mark.parametrize(
    ("words", "program"),
    [
        (["/usr/bin/python3", "train.py", "--password", "x"], "python3 train.py"),
        (["python3", "-Wignore::SyntaxWarning", "-Xdev", "--check-hash-based-pycs", "never", "a.py"], "python3 a.py"),
        (["python", "-c", "secret = 1"], "python -c"),
        (["python", "-Bc", "secret = 1"], "python -c"),
        (["python", "-Im", "module", "secret"], "python -m module"),
        (["python", "-", "secret"], "python -"),
        (["python"], "python"),
        (["/opt/uwsgi", "--key", "secret"], "uwsgi"),
        ([], ""),
    ],
)
def test_programs_have_no_arguments(words: Sequence[str], program: str) -> None:
    assert job_processes.program(list(words)) == program


def test_what_is_python() -> None:
    assert job_processes.is_python(os.getpid())
    with subprocess.Popen(["sleep", "60"]) as process:
        wait_until(lambda: job_processes.arguments(process.pid)[:1] == ["sleep"])
        assert not job_processes.is_python(process.pid)
        process.kill()
    assert not job_processes.is_python(process.pid)
    assert job_processes.arguments(process.pid) == []


def test_only_our_programs_are_ours() -> None:
    assert job_processes.is_ours([OUR_PYTHON, "-I", "-m", "sm_ssh_entry.boot.job", "--", "train"])
    assert not job_processes.is_ours([sys.executable, "-m", "sm_ssh_entry_of_theirs"])
    assert not job_processes.is_ours([sys.executable, "-I", "-m"])
