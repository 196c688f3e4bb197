"""Staying beside the user's command: status, signals, orphans, hold on failure, idle end, deregistration."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.boot import init, procfs
from tests.boot import fake_agent
from tests.boot.container import Container
from tests.boot.fake_ssm import FakeSsm
from tests.waiting import wait_until

# Prints the signals it gets, and ends at SIGUSR2. Started in a mode that stays.
LISTENER = """
import os, signal
def got(number, frame):
    os.write(1, b"%d\\n" % number)
    if number == signal.SIGUSR2: os._exit(21)
for number in {numbers}: signal.signal(number, got)
os.write(1, b"listening\\n")
while True: signal.pause()
"""


def listener(*numbers: int) -> list[str]:
    return [sys.executable, "-I", "-c", LISTENER.format(numbers=[int(number) for number in numbers])]


def stays(container: Container) -> None:
    container.env["SSH_IDLE_TIMEOUT_SECONDS"] = "600"


def line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def test_every_signal_is_forwarded(container: Container) -> None:
    stays(container)
    numbers = [
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGTERM,
        signal.SIGCONT,
        signal.SIGWINCH,
        signal.SIGALRM,
        signal.SIGRTMIN + 3,
        signal.SIGUSR2,
    ]
    process = container.spawn(*listener(*numbers))
    assert line(process) == "listening"
    for number in numbers:
        process.send_signal(number)
        assert line(process) == str(int(number))
    process.communicate(timeout=120)
    assert process.returncode == 21


def test_signal_that_kills_the_command_is_in_the_status(container: Container) -> None:
    stays(container)
    process = container.spawn("sh", "-c", "echo up; exec sleep 60")
    assert line(process) == "up"
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 143


def test_hold_on_failure_keeps_services_until_sm_wait_stop(container: Container) -> None:
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "600"
    process = container.spawn("sh", "-c", "exit 9")
    wait_until(lambda: container.status.get("job") == "failed" and container.status.get("phase") == "online", 15)
    assert process.poll() is None
    assert container.status["exit"] == 9
    assert container.sm_wait("stop").stdout == "[sm-ssh] released 1 waiting\n"
    _, err = process.communicate(timeout=120)
    assert process.returncode == 9
    assert b"the command failed with 9; the container stays for 600 s" in err


@pytest.mark.parametrize("where", ["_hold", "_due"])
def test_a_defect_of_ours_does_not_run_the_command_twice(tmp_path: Path, where: str) -> None:
    code = f"""
from sm_ssh_entry.boot import init, settings, signals, status
from sm_ssh_entry.contract import Paths
paths = Paths({str(tmp_path)!r})
status.prepare(paths)
def defect(*_):
    raise ValueError("secret")
init.Init.{where} = defect
words = ["sh", "-c", "echo once; exit 9"]
raise SystemExit(init.run(words, {{}}, settings.Settings(hold_on_failure=60), paths, signals.SignalPipe()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (9, "once\n"), done.stderr
    assert "ERROR init: ValueError" in done.stderr
    assert "secret" not in done.stderr


def test_where_nobody_can_get_in_nothing_is_held(container: Container, ssm: FakeSsm) -> None:
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "600"
    ssm.failures["CreateActivation"] = [(400, "AccessDeniedException", "no")] * 9
    early = container.spawn("sh", "-c", "exit 9")
    _, err = early.communicate(timeout=180)
    assert early.returncode == 9
    assert b"SSH could not be set up" in err
    late = container.spawn("sh", "-c", "read _; exit 8", stdin=subprocess.PIPE)
    container.wait_phase("failed")
    _, err = late.communicate(b"\n", timeout=120)
    assert late.returncode == 8
    assert b"the command failed with 8; not held, as SSH could not be set up and nobody can get in" in err


def test_hold_on_failure_ends_on_stop(container: Container) -> None:
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "600"
    process = container.spawn("sh", "-c", "exit 9")
    wait_until(lambda: container.status.get("job") == "failed")
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 9


def test_hold_on_failure_ends_by_itself_and_success_is_not_held(container: Container) -> None:
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "0.2"
    assert container.run("sh", "-c", "exit 9").returncode == 9
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "600"
    assert container.run("sh", "-c", "exit 0", timeout=120).returncode == 0


def test_command_stopped_on_purpose_is_not_held(container: Container) -> None:
    container.env["SSH_HOLD_ON_FAILURE_SECONDS"] = "600"
    process = container.spawn("sh", "-c", "echo up; exec sleep 60")
    assert line(process) == "up"
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 143


def test_idle_container_is_ended(container: Container) -> None:
    container.env["SSH_IDLE_TIMEOUT_SECONDS"] = "0.5"
    process = container.spawn("sh", "-c", "sleep 60; :")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143
    assert b"nobody has been connected for 0.5 s: ending the command" in err


def test_nobody_is_missed_before_anybody_could_come(container: Container, ssm: FakeSsm) -> None:
    container.env["SSH_IDLE_TIMEOUT_SECONDS"] = "0.5"
    ssm.ready.clear()
    process = container.spawn("sh", "-c", "sleep 60; :")
    wait_until(lambda: ssm.asked("CreateActivation"), 30)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    ssm.ready.set()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143
    assert err.index(b"Successfully registered") < err.index(b"nobody has been connected")


def test_a_placeholder_that_nobody_needs_any_more_has_done_its_work(container: Container) -> None:
    container.env["SSH_IDLE_TIMEOUT_SECONDS"] = "0.5"
    process = container.spawn(str(container.paths.bin / "sm-wait"), "86400")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert b"nobody has been connected for 0.5 s: ending the command" in err
    assert b"nothing but sm-wait ran here: ending with 0" in err


def test_connected_client_keeps_it(container: Container) -> None:
    import socket

    container.env["SSH_IDLE_TIMEOUT_SECONDS"] = "4"
    process = container.spawn("sh", "-c", "sleep 60; :")
    port = wait_until(lambda: container.status.get("port") and container.wait_phase("online")["port"], 30)
    with socket.create_connection(("127.0.0.1", port)), pytest.raises(subprocess.TimeoutExpired):
        process.wait(7)
    process.communicate(timeout=120)
    assert process.returncode == 143


def test_deregisters_on_the_way_out(container: Container, ssm: FakeSsm) -> None:
    container.env["SSH_DEREGISTER_ON_EXIT"] = "true"
    process = container.spawn("sh", "-c", "read _; exit 5", stdin=subprocess.PIPE)
    container.wait_phase("online")
    _, err = process.communicate(b"\n", timeout=120)
    assert process.returncode == 5
    assert ssm.asked("DeregisterManagedInstance") == [{"InstanceId": fake_agent.NODE}]
    assert f"deregistered {fake_agent.NODE}".encode() in err


def test_deregisters_where_the_command_was_never_started(container: Container, ssm: FakeSsm) -> None:
    container.env |= {"SSH_DEREGISTER_ON_EXIT": "true", "SSH_WAIT_TIME_SECONDS": "600"}
    process = container.spawn("true")
    container.wait_phase("online")
    wait_until(lambda: container.status.get("job") == "waiting")
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 143
    assert ssm.asked("DeregisterManagedInstance") == [{"InstanceId": fake_agent.NODE}]


def test_deregistration_that_is_denied_is_one_line_and_not_the_status(container: Container, ssm: FakeSsm) -> None:
    container.env["SSH_DEREGISTER_ON_EXIT"] = "true"
    ssm.failures["DeregisterManagedInstance"] = [(400, "AccessDeniedException", "no")]
    process = container.spawn("sh", "-c", "read _; exit 5", stdin=subprocess.PIPE)
    container.wait_phase("online")
    _, err = process.communicate(b"\n", timeout=120)
    assert process.returncode == 5
    assert len([one for one in err.decode().splitlines() if "ERROR ssm:DeregisterManagedInstance" in one]) == 1


@pytest.mark.parametrize(
    ("masks", "first", "expected"),
    [
        ({"SigCgt": "4000", "SigBlk": "0"}, True, True),
        ({"SigCgt": "0", "SigBlk": "4000"}, True, True),
        ({"SigCgt": "0", "SigBlk": "0"}, True, False),
        ({"SigCgt": "0", "SigBlk": "0"}, False, True),
        ({"SigCgt": "2", "SigBlk": "2"}, True, False),
    ],
)
def test_what_the_kernel_would_deliver(tmp_path: Path, masks: dict[str, str], first: bool, expected: bool) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("".join(f"{name}:\t{value}\n" for name, value in masks.items()))
    assert init.deliverable(7, signal.SIGTERM, first=first, proc=str(tmp_path)) is expected


class Namespace:
    """The stub as process 1 of a process namespace of its own."""

    def __init__(self, container: Container, words: list[str]) -> None:
        argv = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", str(container.stub), *words]
        self.outer = container.spawn_argv(argv)
        self.pid = wait_until(self._first, what="process 1")

    def _first(self) -> int:
        children = procfs.descendants(self.outer.pid, procfs.processes())
        direct = [process.pid for process in children if process.parent == self.outer.pid]
        return direct[0] if direct else 0


@pytest.fixture
def first(container: Container) -> Any:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    probe = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("process namespaces are not permitted here")
    return lambda *words: Namespace(container, list(words))


def test_as_process_1_a_signal_without_handler_is_dropped(container: Container, first: Any) -> None:
    # What `train` does: no handler, so the same image without us would not notice the stop either.
    stays(container)
    made = first("cat")

    def runs() -> bool:
        return any(one.name == "cat" for one in procfs.descendants(made.pid, procfs.processes()))

    wait_until(runs)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        os.kill(made.pid, number)
    with pytest.raises(subprocess.TimeoutExpired):
        made.outer.wait(0.7)
    made.outer.communicate(timeout=120)
    assert made.outer.returncode == 0


def test_as_process_1_a_handled_signal_is_delivered(container: Container, first: Any) -> None:
    # What `serve` does.
    stays(container)
    made = first(*listener(signal.SIGTERM, signal.SIGUSR2))
    assert line(made.outer) == "listening"
    os.kill(made.pid, signal.SIGTERM)
    assert line(made.outer) == str(int(signal.SIGTERM))
    os.kill(made.pid, signal.SIGUSR2)
    assert line(made.outer) == str(int(signal.SIGUSR2))
    made.outer.communicate(timeout=120)
    assert made.outer.returncode == 21


def test_as_process_1_a_stop_that_is_not_heard_deregisters_at_once(
    container: Container, ssm: FakeSsm, first: Any
) -> None:
    container.env["SSH_DEREGISTER_ON_EXIT"] = "true"
    made = first("sh", "-c", "read _; exit 6")
    container.wait_phase("online")
    os.kill(made.pid, signal.SIGTERM)
    wait_until(lambda: ssm.asked("DeregisterManagedInstance"), 15)
    assert made.outer.poll() is None
    made.outer.communicate(b"\n", timeout=120)
    assert made.outer.returncode == 6
    assert len(ssm.asked("DeregisterManagedInstance")) == 1


@pytest.mark.parametrize("mode", ["exec", "init"])
def test_as_process_1_orphans_leave_no_zombie(container: Container, first: Any, mode: str) -> None:
    if mode == "init":
        stays(container)
    # A hundred orphans of the user's own. In exec mode reaping them is the user's business; none of them may be ours.
    script = "i=0; while [ $i -lt 100 ]; do (sh -c : &) ; i=$((i+1)); done; echo done; read _; exit 0"
    made = first("sh", "-c", script)
    assert line(made.outer) == "done"
    container.wait_phase("online")

    def zombies() -> list[str]:
        return [
            process.name
            for process in procfs.descendants(made.pid, procfs.processes())
            if _state(process.pid) == "Z" and (mode == "init" or process.name != "sh")
        ]

    wait_until(lambda: not zombies(), what="no zombies")
    made.outer.communicate(b"\n", timeout=120)
    assert made.outer.returncode == 0


def test_as_process_1_exec_mode_keeps_the_kernels_rule(container: Container, first: Any) -> None:
    made = first("sh", "-c", "echo $$; read _; exit 6")
    assert line(made.outer) == "1"
    os.kill(made.pid, signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        made.outer.wait(0.7)
    made.outer.communicate(b"\n", timeout=120)
    assert made.outer.returncode == 6


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_status_survives_in_json(container: Container) -> None:
    stays(container)
    assert container.run("sh", "-c", "exit 0").returncode == 0
    assert json.loads(container.paths.status.read_text())["job"] == "running"
