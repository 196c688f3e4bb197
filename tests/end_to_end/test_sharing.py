"""Connection sharing with real masters: who shares, who never does, what is left, and what a dead master means."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.machine import SM_SSH, Job, Machine
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    job = machine.job("Shared-1", "sleep", "900")
    job.online()
    done = machine.run("config")
    assert done.returncode == 0, done.stderr
    yield job
    job.kill()


@pytest.fixture(autouse=True)
def alone(machine: Machine, job: Job) -> None:
    """Begin each test without a shared connection."""
    leave(machine, job)


def ssh(machine: Machine, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return machine.call(["ssh", "-F", str(machine.home / ".ssh/config"), *words], env=env)


def master(machine: Machine, job: Job) -> int:
    """Return the master's process id, 0 where there is none."""
    found = re.search(r"Master running \(pid=(\d+)\)", ssh(machine, "-O", "check", job.host).stderr)
    return int(found[1]) if found else 0


def leave(machine: Machine, job: Job) -> None:
    ssh(machine, "-O", "exit", job.host)


def sessions(machine: Machine) -> int:
    return int(json.loads(machine.run("local", "status", "--output", "json").stdout)["sessions"])


def test_a_second_login_goes_over_the_first_ones_connection(machine: Machine, job: Job) -> None:
    assert ssh(machine, job.host, "echo one").stdout == "one\n"
    pid = master(machine, job)
    assert pid
    # No way to AWS any more: whoever gets in now does not ask it.
    lost = {"AWS_CA_BUNDLE": "/nowhere", "HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    assert ssh(machine, job.host, "echo two", env=lost).stdout == "two\n"
    for status in (0, 7, 255):
        done = machine.run("run", job.host, "--", f"echo out; echo err >&2; exit {status}", env=lost)
        assert (done.returncode, done.stdout, done.stderr) == (status, "out\n", "err\n")
    assert machine.run("run", job.host, "--", "sh", "-c", "kill -TERM $$", env=lost).returncode == 143
    text = "".join(f"line {number}\n" for number in range(20_000))
    assert machine.run("run", job.host, "--", "cat", stdin=text, env=lost).stdout == text
    done = machine.run("connect", job.host, "-T", "echo three; exit 3", env=lost)
    assert (done.returncode, done.stdout) == (3, "three\n")
    assert master(machine, job) == pid
    wait_until(lambda: sessions(machine) == 1, 10, every=0.2, what="one session for all of these")


def test_a_command_leaves_no_connection_behind(machine: Machine, job: Job) -> None:
    assert machine.run("run", job.host, "--", "true").returncode == 0
    assert machine.run("connect", job.host, "true").returncode == 0
    assert master(machine, job) == 0
    wait_until(lambda: sessions(machine) == 0, 10, every=0.2, what="no session")


def test_who_does_not_want_to_share(machine: Machine, job: Job) -> None:
    assert ssh(machine, job.host, "true", env={"SM_SSH_SHARE": "no"}).returncode == 0
    assert master(machine, job) == 0
    assert ssh(machine, job.host, "true").returncode == 0
    assert master(machine, job)
    script = "echo $SSH_CONNECTION"
    shared = machine.run("run", job.host, "--", script).stdout
    assert shared == ssh(machine, job.host, script).stdout
    assert shared != machine.run("run", "--no-share", job.host, "--", script).stdout
    assert shared != machine.run("run", job.host, "--", script, env={"SM_SSH_SHARE": "no"}).stdout
    # What changes the connection itself needs one of its own.
    assert shared != machine.run("connect", job.host, "-T", "-L", "0:localhost:1", script).stdout


@pytest.mark.parametrize(
    "other",
    [{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}],
)
def test_the_same_name_elsewhere_never_shares(machine: Machine, job: Job, other: dict[str, str]) -> None:
    assert ssh(machine, job.host, "true").returncode == 0
    assert master(machine, job)
    done = ssh(machine, job.host, "echo wrong", env=other)
    assert (done.returncode, done.stdout) == (255, "")
    assert done.stderr.startswith("sm-ssh: ")
    done = machine.run("run", job.host, "--", "echo", "wrong", env=other)
    assert done.returncode in (10, 17, 20)
    assert done.stdout == ""


def test_a_region_behind_the_name_never_shares_either(machine: Machine, job: Job) -> None:
    assert ssh(machine, job.host, "true").returncode == 0
    done = machine.run("run", f"{job.host}@eu-west-1", "--", "echo", "wrong")
    assert (done.returncode in (10, 17), done.stdout) == (True, ""), done.stderr


def test_a_killed_master_is_replaced(machine: Machine, job: Job) -> None:
    assert ssh(machine, job.host, "true").returncode == 0
    first = master(machine, job)
    os.kill(first, signal.SIGKILL)
    assert machine.run("run", job.host, "--", "echo", "still").stdout == "still\n"
    assert ssh(machine, job.host, "echo again").stdout == "again\n"
    assert master(machine, job) not in (0, first)


def test_a_frozen_master_holds_nobody_up(machine: Machine, job: Job) -> None:
    assert ssh(machine, job.host, "true").returncode == 0
    pid = master(machine, job)
    os.kill(pid, signal.SIGSTOP)
    try:
        done = machine.run("run", job.host, "--", "echo", "past it")
        assert (done.returncode, done.stdout) == (0, "past it\n")
        assert "does not answer" in done.stderr
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_new_node_of_the_same_name_is_the_one_that_is_reached(machine: Machine) -> None:
    first = machine.job("reborn", "sleep", "600", options=("--env", "LIFE=one"))
    first.online()
    assert ssh(machine, first.host, "echo $LIFE").stdout == "one\n"
    assert master(machine, first)
    # In good order: the service ends its sessions. One that just vanishes is missed within a minute.
    first.process.send_signal(signal.SIGTERM)
    first.end()
    second = machine.job("reborn", "sleep", "600", options=("--env", "LIFE=two"))
    # The first one may still count as Online for a moment, and would do for wait.
    node = second.saw(r"Managed instance-id: (mi-[0-9a-f]{17})", 60).group(1)
    wait = ("wait", second.host, "--timeout", "120")
    wait_until(lambda: machine.run(*wait).stdout.strip() == node, 60, every=0.5, what="the second node")
    done = ssh(machine, first.host, "echo $LIFE")
    assert (done.returncode, done.stdout) == (0, "two\n"), done.stderr
    assert machine.run("run", first.host, "--", "echo $LIFE").stdout == "two\n"
    leave(machine, second)
    second.kill()


def test_the_proxys_reason_is_shown_although_ssh_shares(machine: Machine, tmp_path: Path) -> None:
    """``ssh`` gives a ProxyCommand no standard error where the connection is to be shared."""
    name = "too.many.parts.training.sagemaker"
    done = ssh(machine, name, "true")
    assert done.returncode == 255
    lines = done.stderr.splitlines()
    assert lines[0].startswith("sm-ssh: ")
    assert name in lines[0]
    last = json.loads((machine.home / ".ssh/sm-ssh/last-error.json").read_text())
    assert (last["host"], f"sm-ssh: {last['message']}") == (name, lines[0])
    # A file as standard error keeps what it has; none at all is silence.
    log = tmp_path / "log"
    log.write_text("before\n")
    line = f"ssh -F {machine.home}/.ssh/config {name} true"
    machine.call(["sh", "-c", f"{line} 2>>{log}; {line} 2>/dev/null"])
    text = log.read_text()
    assert text.startswith("before\nsm-ssh: ")
    assert text.count("sm-ssh: ") == 1


def terminal(machine: Machine, *words: str, typed: str = "") -> tuple[int, str]:
    """Run ``sm-ssh`` on a terminal of its own; return its status and what was on the screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*SM_SSH, *words], env=machine.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    screen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:
                return
            if not block:
                return
            screen.append(block)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    os.write(ours, typed.encode())
    status = process.wait(timeout=120)
    wait_until(lambda: not reader.is_alive() or b"".join(screen), 5)
    os.close(ours)
    return status, b"".join(screen).decode(errors="replace")


def test_an_interactive_login_leaves_its_connection_for_the_next(machine: Machine, job: Job) -> None:
    status, screen = terminal(machine, "connect", job.host, typed="echo $SSH_CONNECTION | tr ' ' _; exit 5\n")
    assert status == 5, screen
    assert master(machine, job)
    shared = machine.run("run", job.host, "--", "echo $SSH_CONNECTION | tr ' ' _").stdout.strip()
    assert shared in screen


def test_an_interactive_login_that_fails_says_why_once(machine: Machine) -> None:
    status, screen = terminal(machine, "connect", "nobody.training.sagemaker")
    assert status not in (0, 255)
    assert screen.count("sm-ssh: ") == 1, screen
    assert "hint: " in screen
