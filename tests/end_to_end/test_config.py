"""``sm-ssh config`` with real programs: ssh, scp, sftp, rsync, git, and what an IDE starts."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.machine import Job, Machine
from tests.waiting import wait_until

ALIAS = "my-gpu"
BEFORE = b"# mine\r\nHost example.org\r\n    User me"


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    job = machine.job("Configured", "sleep", "900", options=("--env", "NOTE=two\nlines"))
    job.online()
    (machine.home / ".ssh").mkdir(mode=0o700, exist_ok=True)
    config(machine).write_bytes(BEFORE)
    done = machine.run("config", ALIAS, job.host)
    assert done.returncode == 0, done.stderr
    yield job
    machine.call(["ssh", "-F", str(config(machine)), "-O", "exit", ALIAS])
    job.kill()


@pytest.fixture
def desktop(machine: Machine, job: Job) -> dict[str, str]:
    """The environment of a program that a desktop has started: no region, as in a user's shell it would be set."""
    del job
    return {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}


def config(machine: Machine) -> Path:
    return machine.home / ".ssh" / "config"


def shell_word(machine: Machine) -> str:
    return f"ssh -F {config(machine)}"


@pytest.mark.parametrize("name", [ALIAS, "Configured.training.sagemaker"])
def test_plain_ssh(machine: Machine, job: Job, name: str) -> None:
    del job
    done = machine.call(["ssh", "-F", str(config(machine)), name, "echo $TRAINING_JOB_NAME; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "Configured\n", "")


def test_an_alias_brings_its_region_along(machine: Machine, desktop: dict[str, str]) -> None:
    done = machine.call(["ssh", "-F", str(config(machine)), ALIAS, "echo here"], env=desktop)
    assert (done.returncode, done.stdout) == (0, "here\n"), done.stderr
    done = machine.call(["ssh", "-F", str(config(machine)), "Configured.training.sagemaker", "true"], env=desktop)
    assert done.returncode == 255
    assert "no AWS region is set" in done.stderr


def test_our_own_commands_know_an_alias_too(machine: Machine, desktop: dict[str, str], tmp_path: Path) -> None:
    done = machine.run("run", ALIAS, "--", "echo", "here", env=desktop)
    assert (done.returncode, done.stdout) == (0, "here\n"), done.stderr
    done = machine.run("run", f"root@{ALIAS}", "--", "echo", "here", env=desktop)
    assert (done.returncode, done.stdout) == (0, "here\n"), done.stderr
    source, there = tmp_path / "source", tmp_path / "there"
    source.write_text("copied")
    done = machine.run("cp", str(source), f"{ALIAS}:{there}", env=desktop)
    assert done.returncode == 0, done.stderr
    assert there.read_text() == "copied"
    assert machine.run("wait", ALIAS, "--timeout", "120", env=desktop).returncode == 0
    done = machine.run("stop-waiting", ALIAS, env=desktop)
    assert done.returncode == 0, done.stderr
    assert "nothing is waiting" in done.stdout
    # What is no alias is told as before.
    done = machine.run("run", "my-cpu", "--", "true")
    assert done.returncode == 2
    assert "my-cpu.training.sagemaker" in done.stderr


def test_scp_and_sftp(machine: Machine, job: Job, tmp_path: Path) -> None:
    del job
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    here.write_bytes(bytes(range(256)) * 4096)
    for old in ((), ("-O",)):
        done = machine.call(["scp", "-q", *old, "-F", str(config(machine)), str(here), f"{ALIAS}:{there}"])
        assert done.returncode == 0, done.stderr
        assert there.read_bytes() == here.read_bytes()
        there.unlink()
    batch = f"put {here} {there}\nget {there} {back}\n"
    done = machine.call(["sftp", "-q", "-b", "-", "-F", str(config(machine)), ALIAS], stdin=batch)
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == here.read_bytes()


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_rsync(machine: Machine, job: Job, tmp_path: Path) -> None:
    del job
    source, copy = tmp_path / "source", tmp_path / "copy"
    (source / "a b").mkdir(parents=True)
    (source / "a b" / "größe").write_bytes(bytes(range(256)) * 100)
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o755)
    for argv in ((f"{source}/", f"{ALIAS}:{copy}/"), (f"{ALIAS}:{copy}/", f"{tmp_path}/back/")):
        done = machine.call(["rsync", "-a", "-e", shell_word(machine), *argv])
        assert done.returncode == 0, done.stderr
    back = tmp_path / "back"
    assert (back / "a b" / "größe").read_bytes() == (source / "a b" / "größe").read_bytes()
    assert (back / "tool").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_clones_and_pushes(machine: Machine, job: Job, tmp_path: Path) -> None:
    del job
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    env = {"GIT_SSH_COMMAND": shell_word(machine), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")

    def git(*words: str) -> str:
        done = machine.call(["git", *who, *words], env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    git("init", "-q", "--bare", "-b", "main", str(bare))
    git("clone", "-q", f"{ALIAS}:{bare}", str(clone))
    (clone / "train.py").write_text("print('hello')\n")
    git("-C", str(clone), "add", "train.py")
    git("-C", str(clone), "commit", "-q", "-m", "one")
    git("-C", str(clone), "push", "-q", "origin", "HEAD:main")
    assert git("--git-dir", str(bare), "show", "main:train.py") == "print('hello')\n"
    git("-C", str(clone), "fetch", "-q", f"ssh://{ALIAS}{bare}", "main")


def test_what_a_remote_ssh_ide_starts(machine: Machine, job: Job) -> None:
    """``ssh -v -T -D PORT -o ConnectTimeout=15 HOST bash``, a script on standard input that stays open, and SOCKS."""
    del job
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # As the server of an IDE it ends with the shell that started it.
    server = (
        "import os, socket, threading, time\nparent = os.getppid()\ns = socket.create_server(('127.0.0.1', 0))\n"
        "def watch():\n    while os.getppid() == parent: time.sleep(0.05)\n    os._exit(0)\n"
        "threading.Thread(target=watch).start()\nprint('listeningOn==%d==' % s.getsockname()[1], flush=True)\n"
        "while True:\n    c, _ = s.accept()\n    c.sendall(c.recv(100).upper())\n    c.close()\n"
    )
    words = ["ssh", "-v", "-T", "-D", str(port), "-o", "ConnectTimeout=15", "-F", str(config(machine)), ALIAS, "bash"]
    process = subprocess.Popen(
        words,
        env=machine.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f'echo "NOTE==$NOTE=="\npython3 -u - <<"END" &\n{server}END\n')
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(2)] == ["NOTE==two\n", "lines==\n"]
        remote = int(process.stdout.readline().split("==")[1])
        for _ in range(3):
            assert through_socks(port, remote, b"hello") == b"HELLO"
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    wait_until(lambda: refused(remote), 20, what="the server has ended with its window")


def through_socks(proxy: int, port: int, data: bytes) -> bytes:
    """Send bytes through SOCKS 5 without a user (RFC 1928) and return the answer."""
    with socket.create_connection(("127.0.0.1", proxy), timeout=120) as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"\x05\x01\x00")
        assert stream.read(2) == b"\x05\x00"
        connection.sendall(b"\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + port.to_bytes(2, "big"))
        assert stream.read(10)[:2] == b"\x05\x00"
        connection.sendall(data)
        return stream.read()


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_removing_leaves_the_users_file_as_it_was(machine: Machine, job: Job) -> None:
    del job
    assert config(machine).read_bytes().endswith(BEFORE)
    kept = config(machine).read_bytes()
    assert kept != BEFORE
    listed = machine.run("config", "--list").stdout
    assert listed == f"{ALIAS} Configured.training.sagemaker --region us-east-1\n"
    assert machine.run("config", "--remove").returncode == 0
    assert config(machine).read_bytes() == BEFORE
    assert machine.run("config", "--remove").stdout == "there was nothing to remove\n"
    assert machine.run("config", ALIAS, "Configured.training.sagemaker").returncode == 0
    assert config(machine).read_bytes() == kept
