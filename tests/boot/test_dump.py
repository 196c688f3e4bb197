"""``sm-ssh-entry dump`` of real processes whose threads are stuck."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.boot import dump
from sm_ssh_entry.boot.job_processes import Job
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import AccessDenied, NotFound, SmSshError, ToolMissing
from tests.boot.container import Container
from tests.waiting import wait_until

# Two threads that wait for a lock that nobody gives back, in as many processes as are asked for.
STUCK = """
import ctypes, os, sys, threading
password = sys.argv[2]
lock = threading.Lock()
lock.acquire()
def wait_for_batch(password):
    lock.acquire()
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG: it ends with the test
        break
threading.Thread(target=wait_for_batch, args=(password,), name="loader", daemon=True).start()
os.write(1, b"stuck\\n")
lock.acquire()
"""


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Callable[[], int]]:
    script = tmp_path / "train.py"
    script.write_text(STUCK)
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        words = [sys.executable, str(script), "0", "hunter2"]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == b"stuck\n"
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_every_python_process_of_the_job_its_main_one_first(container: Container) -> None:
    script = container.paths.home / "train.py"
    script.write_text(STUCK)
    job = container.spawn(sys.executable, str(script), "2", "hunter2")
    assert job.stdout is not None
    assert [job.stdout.readline() for _ in range(3)] == [b"stuck\n"] * 3
    container.wait_phase("online")
    # As from a login that has the job's environment, or none of it.
    container.env |= {"LD_PRELOAD": "/no/such.so", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere", "PATH": ""}
    done = container.entry("dump")
    assert done.returncode == 0, done.stderr
    heads = [line for line in done.stdout.splitlines() if line.startswith("process ")]
    assert len(heads) == 3
    assert heads[0] == f"process {job.pid}: {Path(sys.executable).name} {script}"
    assert done.stdout.count("loader (idle)") == 3
    assert done.stdout.count("    wait_for_batch (") == 3
    assert "hunter2" not in done.stdout + done.stderr
    found = json.loads(container.entry("dump", "--output", "json").stdout)["processes"]
    assert [one["parent"] for one in found][1:] == [job.pid, job.pid]
    frame = next(one for one in found[0]["threads"] if one["name"] == "loader")["frames"][0]
    assert frame == {
        "function": "wait_for_batch",
        "file": str(script),
        "line": STUCK.splitlines().index("    lock.acquire()") + 1,
    }
    one = container.entry("dump", "--pid", str(found[1]["pid"]), "--native")
    assert one.returncode == 0, one.stderr
    assert "PyThread_acquire_lock_timed" in one.stdout
    assert one.stdout.startswith(f"process {found[1]['pid']}: ")


def test_a_job_that_is_no_python_says_so(container: Container) -> None:
    container.spawn("sleep", "300")
    container.wait_phase("online")
    done = container.entry("dump")
    assert (done.returncode, done.stdout) == (10, "")
    assert done.stderr == "[sm-ssh] ERROR the job has no Python process (hint: is the command Python?)\n"
    done = container.entry("dump", "--pid", str(container.status["main"]))
    assert (done.returncode, "(sleep) is no Python process" in done.stderr) == (10, True)
    done = container.entry("dump", "--pid", "4194305")
    assert (done.returncode, "there is no process 4194305" in done.stderr) == (10, True)
    assert container.entry("dump", "--pid", "x").returncode == 2


def test_a_process_that_has_a_debugger_is_read_while_it_runs(stuck: Callable[[], int]) -> None:
    pid = stuck()
    libc = ctypes.CDLL(None, use_errno=True)
    seize, detach = 0x4206, 17
    if libc.ptrace(seize, pid, None, None):
        pytest.skip(f"ptrace is not permitted here: {os.strerror(ctypes.get_errno())}")
    try:
        (found,) = dump.read(dump.tool(Paths("/nowhere")), [Job(pid, 1, "python", python=True)], native=False)
    finally:
        libc.ptrace(detach, pid, None, None)
    assert found.error is None
    assert "wait_for_batch" in json.dumps(found.threads)


def test_one_that_may_not_be_looked_into_is_one_line_with_a_hint(stuck: Callable[[], int]) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become somebody who may not")
    # In a place that everybody may read: somebody else has to find py-spy.
    held = Path("/tmp") / f"sm-ssh-dump-{os.getpid()}"
    held.mkdir(mode=0o755)
    try:
        shutil.copy(dump.tool(Paths("/nowhere")), held / "py-spy")
        wrapper = held / "as-nobody"
        wrapper.write_text(f'#!/bin/sh\nexec setpriv --reuid 65534 --clear-groups {held}/py-spy "$@"\n')
        wrapper.chmod(0o755)
        pid = stuck()
        (found,) = dump.read(str(wrapper), [Job(pid, 1, "python train.py", python=True)], native=True)
    finally:
        shutil.rmtree(held)
    assert isinstance(found.error, AccessDenied)
    assert "ptrace" in found.error.message
    assert "SYS_PTRACE" in found.error.hint
    assert dump.lines(found)[0] == f"process {pid}: python train.py"
    with pytest.raises(AccessDenied):
        dump.judge([found])


def test_a_process_that_ends_meanwhile_spoils_nothing(stuck: Callable[[], int]) -> None:
    pid = stuck()
    gone = subprocess.Popen(["true"])
    gone.wait()
    jobs = [Job(gone.pid, 1, "python", python=True), Job(pid, 1, "python", python=True)]
    found = list(dump.read(dump.tool(Paths("/nowhere")), jobs, native=False))
    assert isinstance(found[0].error, NotFound)
    assert "wait_for_batch" in "\n".join(dump.lines(found[1]))
    dump.judge(found)
    with pytest.raises(NotFound, match="has ended"):
        dump.judge(found[:1])


def test_what_py_spy_does_not_understand_is_told_in_its_words() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        wait_until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
        (found,) = dump.read(dump.tool(Paths("/nowhere")), [Job(process.pid, 1, "python", python=True)], native=False)
        process.kill()
    assert isinstance(found.error, SmSshError)
    assert "Failed to find python version" in found.error.message
    with pytest.raises(SmSshError, match="py-spy cannot read"):
        dump.judge([found, found._replace(error=None)])


def test_where_there_is_no_py_spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="no py-spy") as raised:
        dump.tool(Paths(str(tmp_path)))
    assert "pip install py-spy" in raised.value.hint
    layers = Paths(str(tmp_path)).home / "libexec" / "py-spy"
    layers.parent.mkdir(parents=True)
    layers.touch()
    assert dump.tool(Paths(str(tmp_path))) == str(layers)
