"""``sm-ssh-entry rerun`` in containers whose job is held, failed or running: what runs, and what the job ends with."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sm_ssh_entry.boot import hold, init, orders, procfs, rerun, status, supervise, waiters
from sm_ssh_entry.boot.rerun import State, Wanted
from sm_ssh_entry.boot.settings import Settings
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import BadInput
from tests.boot.container import Container
from tests.waiting import wait_until

# The job's command: fails until it is edited; tells how it was started.
TRAIN = """#!/bin/sh
echo "args: $*; folder: $(pwd); secret: $SECRET; umask: $(umask)"
echo failed >"$SM_SSH_ROOT/opt/ml/output/failure"
exit 7
"""
GOOD = "#!/bin/sh\necho trained; exit 0\n"
# Runs until it is told to end, and says so.
LONG = """#!/bin/sh
trap 'echo interrupted; exit 5' INT
trap 'echo hung up; exit 6' HUP
trap 'echo ended; exit 0' TERM
echo up
while :; do sleep 0.05; done
"""


def script(container: Container, text: str, name: str = "train") -> str:
    path = container.paths.home / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def held(container: Container, mode: str, *words: str) -> subprocess.Popen[bytes]:
    """Start a job and wait until it is held."""
    name = "SSH_WAIT_TIME_SECONDS" if mode == "waiting" else "SSH_HOLD_ON_FAILURE_SECONDS"
    container.env[name] = "600"
    folder = container.paths.home / "work"
    folder.mkdir(exist_ok=True)
    job = container.spawn(*words, cwd=folder)
    wait_until(lambda: container.status.get("job") == mode and container.status.get("phase") == "online", 20)
    return job


def again(container: Container, *words: str) -> subprocess.Popen[bytes]:
    """Start a rerun as a login has it: with another folder, and little of an environment."""
    env = {name: value for name, value in container.env.items() if name.startswith(("SM_SSH", "PATH"))}
    argv = [str(container.paths.bin / "sm-ssh-entry"), "rerun", *words]
    return container.spawn_argv(argv, env=env, cwd="/", stdin=subprocess.DEVNULL)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("mode", ["waiting", "failed"])
def test_same_words_environment_folder_and_umask(container: Container, mode: str) -> None:
    container.env["SECRET"] = "do-not-show"
    train = script(container, TRAIN)
    job = held(container, mode, train, "--name", "two  words", "")
    kept = container.paths.run / "command.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["words"] == [train, "--name", "two  words", ""]
    umask = os.umask(0o022)
    os.umask(umask)
    code, out, err = ended(again(container))
    assert code == 7
    folder = container.paths.home / "work"
    assert out == f"args: --name two  words ; folder: {folder}; secret: do-not-show; umask: {umask:04o}\n"
    assert "do-not-show" not in err
    assert "the job is still held" in err
    assert ended(again(container, "--", "sh", "-c", "pwd; exit 3"))[:2] == (3, f"{folder}\n")
    assert container.status["job"] == mode
    assert job.poll() is None
    container.sm_wait("stop")
    assert ended(job)[0] == 7
    assert (container.paths.ml / "output" / "failure").read_text() == "failed\n"


@pytest.mark.parametrize("mode", ["waiting", "failed"])
def test_a_rerun_that_succeeds_ends_the_job_with_success_where_that_is_wanted(container: Container, mode: str) -> None:
    train = script(container, TRAIN)
    job = held(container, mode, train)
    (container.paths.ml / "output" / "failure").write_text("of an earlier run")
    os.utime(container.paths.ml / "output" / "failure", (1, 1))
    assert ended(again(container, "--finish"))[0] == 7
    assert job.poll() is None
    os.utime(container.paths.ml / "output" / "failure", (1, 1))
    script(container, GOOD)
    # An edit that works ends nothing by itself.
    assert ended(again(container))[:2] == (0, "trained\n")
    assert job.poll() is None
    code, out, err = ended(again(container, "--finish"))
    assert (code, out) == (0, "trained\n")
    assert err.endswith("[sm-ssh] it succeeded: the job ends with 0\n")
    code, out, err = ended(job)
    assert code == 0
    assert "sm-ssh rerun --finish: the job ends with 0" in err
    assert not (container.paths.ml / "output" / "failure").exists()


def test_running_without_anybody_who_stays(container: Container) -> None:
    job = container.spawn(script(container, LONG), "--one")
    container.wait_phase("online")
    code, out, err = ended(again(container))
    assert (code, out) == (2, "")
    assert "the job's own command is running (hint: --beside" in err
    code, _, err = ended(again(container, "--stop-first"))
    assert code == 2
    assert "SSH_HOLD_ON_FAILURE_SECONDS" in err
    code, _, err = ended(again(container, "--beside", "--finish"))
    assert (code, "--finish is for a job that is held" in err) == (2, True)
    other = again(container, "--beside")
    assert other.stdout is not None
    assert other.stdout.readline() == b"up\n"
    assert job.poll() is None
    code, _, err = ended(again(container, "--beside"))
    assert (code, "another rerun is running" in err) == (2, True)
    other.send_signal(signal.SIGINT)
    code, out, _ = ended(other)
    assert (code, out) == (5, "interrupted\n")
    job.send_signal(signal.SIGINT)
    assert ended(job)[0] == 5


def test_stop_first_keeps_the_container_and_its_status_stays_a_failure(container: Container) -> None:
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "600"
    train = script(container, LONG)
    job = container.spawn(train)
    assert job.stdout is not None
    assert job.stdout.readline() == b"up\n"
    container.wait_phase("online")
    script(container, GOOD)
    # The command ends with 0 when it is told to end, and still the job is not complete.
    code, out, _ = ended(again(container, "--stop-first"))
    assert (code, out) == (0, "trained\n")
    assert (container.status["job"], container.status["exit"]) == ("failed", 143)
    container.sm_wait("stop")
    code, out, err = ended(job)
    assert (code, out) == (143, "ended\n")
    lines = [line for line in err.splitlines() if "sm-ssh rerun" in line or "sm-wait" in line]
    assert lines == [
        "[sm-ssh] sm-ssh rerun --stop-first: stopping the command",
        "[sm-ssh] the command failed with 143; the container stays for 600 s: sm-ssh connect my-job.training.sagemaker"
        " gets in, sm-ssh rerun my-job.training.sagemaker runs it again, sm-wait stop ends it",
        "[sm-ssh] sm-ssh rerun: the command runs again",
        "[sm-ssh] sm-ssh rerun: it has ended",
        "[sm-ssh] sm-wait stop: ending with 143",
    ]


def test_stop_first_and_finish(container: Container) -> None:
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "600"
    job = container.spawn(script(container, LONG))
    assert job.stdout is not None
    assert job.stdout.readline() == b"up\n"
    container.wait_phase("online")
    assert ended(again(container, "--stop-first", "--finish", "--", "true"))[0] == 0
    assert ended(job)[0] == 0


class Holding:
    """A hold of the container's first process, in a thread, with a rerun's lock that another process has."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(str(root))
        status.prepare(self.paths)
        code = (
            "import sys; from sm_ssh_entry.boot import orders, supervise;"
            f"held = supervise.lock({str(self.paths.run)!r}, orders.LOCK); print(held, flush=True); sys.stdin.read()"
        )
        pipe = subprocess.PIPE
        self.rerun = subprocess.Popen([sys.executable, "-I", "-c", code], stdin=pipe, stdout=pipe)
        assert self.rerun.stdout is not None
        assert self.rerun.stdout.readline().strip().isdigit()
        self.fifo, self.path = waiters.open_fifo(str(self.paths.waiters), time.time() + 1)
        self.begun = self.deadline
        self.ends: list[object] = []

    def read(self) -> list[int]:
        return []

    @property
    def deadline(self) -> int:
        (fifo,) = self.paths.waiters.iterdir()
        return int(fifo.name.partition(".")[2])

    def start(self, work: Callable[[], object]) -> None:
        self.thread = threading.Thread(target=lambda: self.ends.append(work()), daemon=True)
        self.thread.start()

    def over(self) -> object:
        """Wait until the time has begun anew though nobody said anything; let the rerun end; return what came."""
        wait_until(lambda: self.deadline > self.begun + 1, 20)
        assert self.ends == []
        self.rerun.communicate()
        self.thread.join(120)
        os.close(self.fifo)
        return self.ends[0]


def test_a_time_that_is_over_during_a_rerun_begins_anew_before_the_start(tmp_path: Path) -> None:
    made = Holding(tmp_path)
    life, services = os.pipe()
    signals, sender = os.pipe()
    pipe = type("Pipe", (), {"descriptor": signals, "read": made.read})()
    place = hold._Place(made.path)
    asked = Settings(wait=1.0)
    waiters.notify(str(made.paths.waiters), waiters.READY)
    made.start(lambda: hold._wait(hold.Hold(made.fifo, life, pipe), asked, made.paths, time.monotonic() + 1, place))
    assert made.over() == hold.Outcome(None)
    for descriptor in (life, services, signals, sender):
        os.close(descriptor)


def test_a_time_that_is_over_during_a_rerun_begins_anew_after_a_failure(tmp_path: Path) -> None:
    made = Holding(tmp_path)
    signals, sender = os.pipe()
    pipe = type("Pipe", (), {"descriptor": signals, "read": made.read})()
    asked = Settings(hold_on_failure=1.0)
    first = init.Init(0, {}, asked, made.paths, pipe)
    made.start(lambda: first._held(1.0, made.fifo, made.path))
    assert made.over() == "1 s are over"
    for descriptor in (signals, sender):
        os.close(descriptor)


def test_a_rerun_that_begins_or_ends_begins_the_time_anew(container: Container) -> None:
    job = held(container, "waiting", script(container, TRAIN))

    def deadline() -> int:
        (fifo,) = container.paths.waiters.iterdir()
        return int(fifo.name.partition(".")[2])

    before = deadline()
    # A deadline is told in whole seconds.
    wait_until(lambda: orders.send(container.paths, orders.END) and deadline() > before, 20)
    container.sm_wait("stop")
    assert ended(job)[0] == 7


def test_who_hangs_up_ends_the_rerun(container: Container) -> None:
    job = held(container, "waiting", script(container, LONG))
    other = again(container)
    assert other.stdout is not None
    assert other.stdout.readline() == b"up\n"
    (run,) = [one.pid for one in procfs.descendants(other.pid, procfs.processes()) if one.parent == other.pid]
    # As sshd does where the laptop is gone: the far end of its output is closed.
    other.stdout.close()
    other.wait(120)
    assert not Path(f"/proc/{run}").exists()
    assert other.returncode in (6, 128 + signal.SIGPIPE)
    assert not supervise.running(str(container.paths.run), orders.LOCK)
    job.terminate()
    assert ended(job)[0] == 143


def test_a_command_that_does_not_hear_of_it_is_killed(container: Container) -> None:
    held(container, "waiting", script(container, TRAIN))
    deaf = ["sh", "-c", "trap '' HUP; echo up; while :; do sleep 0.05; done"]
    code = (
        "from sm_ssh_entry.boot import rerun; from sm_ssh_entry.contract import Paths; rerun._GRACE = 0.3;"
        f"raise SystemExit(rerun.run(Paths({container.paths.root!r}), rerun.Wanted({deaf})))"
    )
    other = container.spawn_argv([sys.executable, "-c", code], stdin=subprocess.DEVNULL)
    assert other.stdout is not None
    assert other.stdout.readline() == b"up\n"
    other.stdout.close()
    assert other.wait(120) == 137


def test_a_rerun_that_is_killed_leaves_no_command_behind(container: Container) -> None:
    held(container, "waiting", script(container, LONG))
    other = again(container)
    assert other.stdout is not None
    assert other.stdout.readline() == b"up\n"
    (run,) = [one.pid for one in procfs.descendants(other.pid, procfs.processes()) if one.parent == other.pid]
    other.kill()
    wait_until(lambda: not Path(f"/proc/{run}/exe").exists() or _zombie(run))
    code, out, _ = ended(again(container, "--", "echo", "next"))
    assert (code, out) == (0, "next\n")


def _zombie(pid: int) -> bool:
    process = procfs.processes().get(pid)
    return process is None or procfs.processes()[pid].name == "" or not Path(f"/proc/{pid}/cmdline").read_bytes()


def test_where_ssh_was_started_beside_what_runs(container: Container) -> None:
    assert container.entry("start").returncode == 0
    code, _, err = ended(again(container))
    assert (code, "no command of a job was started here" in err) == (10, True)
    container.env["AWS_REGION"] = "elsewhere"
    assert ended(again(container, "--", "sh", "-c", "echo $AWS_REGION; exit 3"))[:2] == (3, "eu-west-1\n")


def test_what_there_is_not(container: Container) -> None:
    code, _, err = ended(again(container))
    assert (code, "SSH is not on in this container" in err) == (10, True)
    held(container, "waiting", script(container, TRAIN))
    folder = container.paths.home / "work"
    folder.rmdir()
    code, _, err = ended(again(container))
    assert (code, f"working folder {folder} is gone" in err) == (10, True)
    folder.mkdir()
    code, _, err = ended(again(container, "--", "no-such-program"))
    assert (code, "command not found: no-such-program" in err) == (127, True)
    (container.paths.run / "command.json").unlink()
    code, _, err = ended(again(container))
    assert (code, "sm-ssh-entry rerun -- COMMAND" in err) == (10, True)
    assert ended(again(container, "--", "echo", "x"))[:2] == (0, "x\n")


@pytest.mark.parametrize(
    ("now", "wanted", "refused"),
    [
        (State.WAITING, Wanted(), False),
        (State.FAILED, Wanted(finish=True), False),
        (State.RUNNING, Wanted(), True),
        (State.RUNNING, Wanted(beside=True), False),
        (State.RUNNING, Wanted(stop_first=True, finish=True), False),
        (State.RUNNING, Wanted(beside=True, finish=True), True),
        (State.FAILED, Wanted(beside=True, stop_first=True), True),
        (State.UNKNOWN, Wanted(), False),
        (State.UNKNOWN, Wanted(stop_first=True, finish=True), True),
    ],
)
def test_what_goes_together(now: State, wanted: Wanted, refused: bool) -> None:
    if refused:
        with pytest.raises(BadInput):
            rerun.check(now, wanted)
    else:
        rerun.check(now, wanted)
