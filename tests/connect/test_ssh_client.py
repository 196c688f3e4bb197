"""Running ``ssh`` in our place: signals, stops, statuses, and what its log says about a failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.connect import ssh_client
from sm_ssh_entry.errors import Ambiguous, KeyRefused, SessionFailed, SmSshError
from tests.waiting import wait_until


@pytest.fixture
def kept() -> Iterator[ssh_client.Notes]:
    with ssh_client.notes() as notes:
        yield notes


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def parent(script: str) -> subprocess.Popen[str]:
    """Run a shell script as ``ssh`` would be run, in a process of its own."""
    code = (
        "import sys; from sm_ssh_entry.connect import ssh_client\n"
        f"with ssh_client.notes() as kept: sys.exit(ssh_client.run(['sh', '-c', {script!r}], kept))"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("status", [0, 1, 255])
def test_the_status_is_ssh_s(kept: ssh_client.Notes, status: int) -> None:
    assert ssh_client.run(shell(f"exit {status}"), kept) == status


def test_a_signal_is_told_as_a_shell_does(kept: ssh_client.Notes) -> None:
    assert ssh_client.run(shell("kill -TERM $$"), kept) == 143


def test_the_proxys_own_code_replaces_255_and_nothing_else(kept: ssh_client.Notes) -> None:
    kept.outcome.write_text('{"error": "Ambiguous", "message": "two", "hint": "name one", "shown": true}')
    assert ssh_client.run(shell("exit 255"), kept) == 13
    assert ssh_client.run(shell("exit 1"), kept) == 1
    kept.outcome.write_text("broken")
    assert ssh_client.run(shell("exit 255"), kept) == 255


@pytest.mark.parametrize("run", [ssh_client.run, ssh_client.run_logged])
def test_what_the_proxy_could_not_print_is_raised(kept: ssh_client.Notes, run: Callable[..., int]) -> None:
    kept.outcome.write_text('{"error": "Ambiguous", "message": "two", "hint": "name one", "shown": false}')
    assert run(shell("exit 1"), kept) == 1
    with pytest.raises(Ambiguous, match="two") as failed:
        run(shell("exit 255"), kept)
    assert failed.value.hint == "name one"


def test_the_folder_is_private_and_goes_away() -> None:
    with ssh_client.notes() as kept:
        assert kept.folder.stat().st_mode & 0o777 == 0o700
    assert not kept.folder.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_sent_to_us_alone_reaches_ssh(number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    process = parent(f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.05; done")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(timeout=120) == 9
    process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_ends_ssh_and_not_us_first() -> None:
    process = parent("trap 'exit 7' INT; echo ready; while :; do sleep 0.05; done")
    assert process.stdout is not None
    pid = process.pid
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)  # as from a terminal, but to us alone: we stay
    child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    os.kill(child, signal.SIGINT)
    assert process.wait(timeout=120) == 7
    process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_stop_stops_us_too_and_going_on_goes_on() -> None:
    process = parent("echo ready; kill -STOP $$; exit 5")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    wait_until(lambda: state(process.pid) == "T", what="stopped")
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(timeout=120) == 5
    process.stdout.close()


@pytest.mark.parametrize(
    "line",
    [
        "debug1: Exit status 255",
        "debug2: mux_client_request_session: received exit status from master 255",
        "debug2: Received exit status from master 255",
    ],
)
def test_a_remote_255_is_told_from_a_failure(kept: ssh_client.Notes, line: str) -> None:
    kept.log.write_text(f"debug1: x\n{line}\n")
    assert ssh_client.run_logged(shell("exit 255"), kept) == 255


def test_the_remote_command_in_the_log_is_no_reason(kept: ssh_client.Notes) -> None:
    """ssh quotes it as it stands, line by line, up to a length."""
    for lines in ("echo Permission denied >&2", "true\n" * 20 + "Permission denied", "x" * 990 + "\n" * 90):
        remote = f"exit 255 #\n{lines}\nexit $?"
        quoted = f"debug1: Sending command: {remote}"[:1023]
        for last, reason in (("Connection closed by remote host.\n", "remote host"), ("", "connection was lost")):
            kept.log.write_text(f"debug1: x\n{quoted}\n{last}Transferred: sent 1\n")
            with pytest.raises(SessionFailed, match=reason):
                ssh_client.run_logged(shell(remote), kept)


@pytest.mark.parametrize(
    ("log", "expected", "text"),
    [
        ("me@host: Permission denied (publickey).\n", KeyRefused, "takes none of our keys"),
        ("No ED25519 host key is known.\nHost key verification failed.\n", SessionFailed, "is not the node"),
        ("debug1: x\nclient_loop: send disconnect: Broken pipe\nBytes per second: 1\n", SessionFailed, "Broken pipe"),
        ("debug1: Exit status -1\nTransferred: sent 1\n", SessionFailed, "connection was lost"),
        ("", SessionFailed, "connection was lost"),
    ],
)
def test_what_the_log_says(kept: ssh_client.Notes, log: str, expected: type[SmSshError], text: str) -> None:
    kept.log.write_text(log)
    with pytest.raises(expected, match=text) as failed:
        ssh_client.run_logged(shell("exit 255"), kept)
    assert failed.value.hint
