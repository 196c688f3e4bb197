"""Holding the user's command: what ends the wait, and what a failed set-up means."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest

from sm_ssh_entry.boot import job, procfs
from tests.boot.container import Container
from tests.boot.fake_ssm import FakeSsm
from tests.waiting import wait_until

DENIED = (400, "AccessDeniedException", "User: x is not authorized to perform: ssm:CreateActivation")


def held(container: Container, *words: str, seconds: str = "60") -> subprocess.Popen[bytes]:
    container.env["SSH_WAIT_TIME_SECONDS"] = seconds
    process = container.spawn(*words)
    wait_until(lambda: container.status.get("job") == "waiting", what="held")
    return process


def test_sm_wait_stop_starts_the_command_in_the_same_process(container: Container) -> None:
    process = held(container, "sh", "-c", "echo $$; exit 7")
    assert container.sm_wait("list").stdout.startswith(f"[sm-ssh] process {process.pid} waits for up to ")
    assert container.sm_wait("stop").stdout == "[sm-ssh] released 1 waiting\n"
    out, err = process.communicate(timeout=120)
    assert (int(out), process.returncode) == (process.pid, 7)
    assert b"sm-wait stop: starting the command" in err


def test_deadline_starts_the_command(container: Container) -> None:
    container.env["SSH_WAIT_TIME_SECONDS"] = "0.2"
    done = container.run("sh", "-c", "exit 6")
    assert done.returncode == 6
    assert b"nobody ran sm-wait stop within 0.2 s" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stop_while_held_does_not_start_the_command(container: Container, number: int, code: int) -> None:
    process = held(container, "sh", "-c", "echo ran")
    services = container.status["services"]
    below = procfs.descendants(services, procfs.processes())
    process.send_signal(number)
    out, _ = process.communicate(timeout=120)
    assert (out, process.returncode) == (b"", code)
    wait_until(lambda: not {services, *[one.pid for one in below]} & set(procfs.processes()), what="services end")


def test_failed_set_up_ends_the_wait_at_once(container: Container, ssm: FakeSsm) -> None:
    ssm.failures["CreateActivation"] = [DENIED]
    container.env["SSH_WAIT_TIME_SECONDS"] = "600"
    done = container.run("sh", "-c", "exit 3", timeout=120)
    assert done.returncode == 3
    errors = [line for line in done.stderr.decode().splitlines() if "ERROR" in line]
    assert len(errors) == 1
    assert "ssm:CreateActivation: access denied" in errors[0]
    assert "(hint: the job's role needs ssm:CreateActivation" in errors[0]
    assert not container.paths.failure.exists()


def test_on_error_fail_writes_the_reason_and_does_not_start(container: Container, ssm: FakeSsm) -> None:
    ssm.failures["CreateActivation"] = [DENIED]
    container.env["SSH_ON_ERROR"] = "fail"
    done = container.run("sh", "-c", "echo ran")
    assert (done.returncode, done.stdout) == (1, b"")
    reason = container.paths.failure.read_text()
    assert "access denied" in reason
    assert "hint:" in reason
    assert len(reason) <= 1024


def test_on_error_fail_of_a_processing_job_writes_its_message(container: Container, ssm: FakeSsm) -> None:
    ssm.failures["CreateActivation"] = [DENIED]
    container.env["SSH_ON_ERROR"] = "fail"
    config = container.paths.ml / "config" / "processingjobconfig.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"ProcessingJobName": "my-processing"}))
    assert container.run("sh", "-c", "echo ran").returncode == 1
    assert "access denied" in container.paths.failure.with_name("message").read_text()
    assert not container.paths.failure.exists()


def test_on_error_fail_starts_the_command_once_registered(container: Container) -> None:
    container.env["SSH_ON_ERROR"] = "fail"
    done = container.run("sh", "-c", f"test -s {container.paths.registration} && exit 4")
    assert done.returncode == 4


def test_wrong_value_is_one_line_and_the_default(container: Container) -> None:
    container.env["SSH_WAIT_TIME_SECONDS"] = "abc"
    process = container.spawn("sh", "-c", "read _; exit 3", stdin=subprocess.PIPE)
    container.wait_phase("online")
    _, err = process.communicate(b"\n", timeout=120)
    assert process.returncode == 3
    errors = [line for line in err.decode().splitlines() if "ERROR" in line]
    assert len(errors) == 1
    assert "SSH_WAIT_TIME_SECONDS is not a number of seconds" in errors[0]
    assert "abc" not in errors[0]


def test_node_beyond_the_count_does_not_wait_and_runs_sshd_only(container: Container, ssm: FakeSsm) -> None:
    hosts = [f"algo-{number}" for number in range(1, 12)]
    config = container.paths.ml / "input" / "config" / "resourceconfig.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"current_host": "algo-10", "hosts": hosts}))
    container.env.update(SSH_WAIT_TIME_SECONDS="600", SSH_INSTANCE_COUNT="9")
    process = container.spawn("sh", "-c", "read _", stdin=subprocess.PIPE)
    found = container.wait_phase("sshd-only")
    assert found["rank"] == 9
    assert container.entry("health").returncode == 0
    process.communicate(b"\n", timeout=120)
    assert process.returncode == 0
    assert ssm.calls == []


def test_services_that_die_end_the_wait(container: Container) -> None:
    process = held(container, "sh", "-c", "exit 5", seconds="600")
    services = container.status["services"]
    below = procfs.descendants(services, procfs.processes())
    os.kill(services, signal.SIGKILL)
    try:
        process.communicate(timeout=120)
        assert process.returncode == 5
    finally:
        left = procfs.processes()
        for one in below:
            if one.pid in left and left[one.pid].started == one.started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)


def test_unwritable_state_is_one_line_and_the_command_runs(container: Container) -> None:
    # A file where the folder should be fails for root too.
    container.paths.run.parent.mkdir(parents=True)
    container.paths.run.write_text("")
    for variables in ({}, {"SSH_WAIT_TIME_SECONDS": "60"}):
        container.env.update(variables)
        done = container.run("sh", "-c", "sleep 0.5; exit 8")
        assert done.returncode == 8
        lines = done.stderr.decode().splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("[sm-ssh] ERROR cannot write")


def test_importing_it_needs_no_third_party(container: Container) -> None:
    # The stub holds a job back for nothing else: it must start where only our own package is whole.
    code = (
        "import sys, sm_ssh_entry.boot.job; print([m for m in ('botocore', 'supervisor', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert job.__doc__
