"""Logins with the system's ``ssh`` through real data channels: what arrives, and who is refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.machine import Job, Machine
from tests.waiting import wait_until

VALUES = {
    "LINES": "one\ntwo\n\nfour ",
    "QUOTES": 'it\'s "quoted" `twice` \\n',
    "DOLLARS": "$HOME ${PATH} $(id) $$",
    "UNICODE": "größe — 日本語 🚀",
    "EMPTY": "",
}


# A container that ends takes its sessions with it: the command outlives the answer to who released it.
RELEASED = ("sh", "-c", "echo released now; exec sleep 4")


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    given = [word for name, value in VALUES.items() for word in ("--env", f"{name}={value}")]
    job = machine.job("logins", "sleep", "600", options=("--wait", "600", *given))
    job.online()
    yield job
    job.kill()


def ssh_config(machine: Machine) -> str:
    """Write what the README tells a user to write, and return the file's name."""
    path = machine.home / "config"
    path.write_text(machine.run("connect", "--print-config").stdout)
    return str(path)


def test_environment_arrives_unchanged_and_is_not_in_the_log(machine: Machine, job: Job) -> None:
    done = machine.run("run", job.host, "--", "env", "-0")
    assert done.returncode == 0, done.stderr
    seen = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
    assert {name: seen.get(name) for name in VALUES} == VALUES
    assert not [value for value in VALUES.values() if value and value in job.log]
    # Not only those: everything that the job has, whatever the login shell's start-up files say.
    root = next((machine.folder / "local").glob("jobs/logins/1/algo-1"))
    given = (root / "run/sm-ssh/environment").read_text().split("\0")
    own = dict(line.split("=", 1) for line in given if "=" in line)
    assert seen["PATH"] == f"{own.pop('PATH')}:{root}/opt/sm-ssh/bin"
    assert {name: seen.get(name) for name in own} == own


def test_remote_status_and_both_streams(machine: Machine, job: Job) -> None:
    done = machine.run("run", job.host, "--", "sh", "-c", "echo out; echo err >&2; exit 42")
    assert (done.returncode, done.stdout) == (42, "out\n")
    assert "err\n" in done.stderr


@pytest.mark.parametrize("status", [0, 1, 127, 254])
def test_each_status_comes_back(machine: Machine, job: Job, status: int) -> None:
    assert machine.run("run", job.host, "--", f"exit {status}").returncode == status


def test_standard_input_reaches_the_command(machine: Machine, job: Job) -> None:
    text = "".join(f"line {i}\n" for i in range(20_000))
    done = machine.run("run", job.host, "--", "wc", "-c", stdin=text)
    assert done.stdout.strip() == str(len(text))


def test_plain_ssh_with_the_readmes_configuration(machine: Machine, job: Job) -> None:
    done = machine.call(["ssh", "-F", ssh_config(machine), job.host, "echo $TRAINING_JOB_NAME"])
    assert (done.returncode, done.stdout) == (0, "logins\n"), done.stderr


def test_the_held_job_is_released_from_inside(machine: Machine) -> None:
    held = machine.job("held", *RELEASED, options=("--wait", "600"))
    held.online()
    assert "released now" not in held.log
    assert machine.run("run", held.host, "--", "sm-wait", "stop").returncode == 0
    assert held.end() == 0
    assert "released now" in held.log


def test_stop_waiting_from_the_laptop(machine: Machine) -> None:
    held = machine.job("held-too", *RELEASED, options=("--wait", "600"))
    held.online()
    done = machine.run("stop-waiting", held.host)
    assert done.returncode == 0, done.stderr
    assert held.end() == 0


def test_sftp_and_scp_move_bytes_unchanged(machine: Machine, job: Job, tmp_path: Path) -> None:
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    here.write_bytes(bytes(range(256)) * 4096)
    config = ssh_config(machine)
    assert machine.call(["scp", "-q", "-F", config, str(here), f"{job.host}:{there}"]).returncode == 0
    assert there.read_bytes() == here.read_bytes()
    batch = f"get {there} {back}\n"
    assert machine.call(["sftp", "-q", "-b", "-", "-F", config, job.host], stdin=batch).returncode == 0
    assert back.read_bytes() == here.read_bytes()


def test_second_users_key_is_refused(machine: Machine, job: Job, tmp_path: Path) -> None:
    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    options = [
        "-F",
        ssh_config(machine),
        "-o",
        f"IdentityFile={key}",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "BatchMode=yes",
    ]
    config_without_key = machine.home / "other"
    config_without_key.write_text(
        "\n".join(line for line in Path(options[1]).read_text().splitlines() if "IdentityFile" not in line)
    )
    options[1] = str(config_without_key)
    done = machine.call(["ssh", *options, job.host, "true"])
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_password_login_is_refused(machine: Machine, job: Job) -> None:
    options = ["-F", ssh_config(machine), "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"]
    done = machine.call(["ssh", *options, "-v", job.host, "true"])
    assert done.returncode == 255
    offered = [line for line in done.stderr.splitlines() if "Authentications that can continue" in line]
    assert offered
    assert all(line.strip().endswith("continue: publickey") for line in offered)


def test_host_key_changed_by_an_attacker_is_refused(machine: Machine, tmp_path: Path) -> None:
    """Another sshd answers in the node's place; it even takes the user's key."""
    victim = machine.job("victim", "sleep", "600")
    victim.online()
    assert machine.run("run", victim.host, "--", "true").returncode == 0
    root = next((machine.folder / "local").glob("jobs/victim/**/algo-1"))
    run = root / "run" / "sm-ssh"
    ours = next(path for path in run.glob("*ed25519*") if path.suffix != ".pub")
    before = ours.read_bytes()
    ours.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ours)], check=True, input=b"y\n")
    assert ours.read_bytes() != before
    # sshd reads its host key when it starts: the supervisor starts it again once it has ended.
    genuine = int((run / "sshd.pid").read_text())
    os.kill(genuine, signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{genuine}").exists(), what="the genuine sshd gone")
    port = int(
        next(line.split()[1] for line in (run / "sshd_config").read_text().splitlines() if line.startswith("Port"))
    )

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0 and probe.recv(8).startswith(b"SSH-")

    wait_until(answers, what="the other sshd")
    done = machine.run("run", victim.host, "--", "echo", "fooled")
    assert done.returncode == 21
    assert "fooled" not in done.stdout
    assert "not the node that registered" in done.stderr.replace("\n", " ")
    # ssh itself refuses too, whoever asks it.
    done = machine.call(["ssh", "-F", ssh_config(machine), victim.host, "echo fooled"])
    assert (done.returncode, done.stdout) == (255, "")
    assert "Host key verification failed" in done.stderr
    victim.kill()
