"""A job's status is its command's own, whatever happens to SSH. Whole processes, from ``sm-ssh local run``."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator

import pytest

from tests.end_to_end.machine import Machine, fault, processes
from tests.waiting import wait_until

# A command that runs before its node has met the error, as a job does, and is still there when it has.
UNTIL_FAILED = """
for i in $(seq 40); do grep -q '"error"' "$SM_SSH_ROOT/run/sm-ssh/status.json" 2>/dev/null && break; sleep 0.2; done
exit 6"""


@pytest.fixture
def faults(machine: Machine) -> Iterator[Machine]:
    yield machine
    fault(machine)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_status_is_the_commands_own(machine: Machine, script: str, status: int) -> None:
    assert machine.run("local", "run", "--", "sh", "-c", script).returncode == status


def test_missing_command_is_127_and_one_line(machine: Machine) -> None:
    done = machine.run("local", "run", "--", "no-such-command")
    assert done.returncode == 127
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "no-such-command" in line]
    assert len(lines) == 1
    assert "Traceback" not in done.stdout + done.stderr


def test_nothing_of_a_job_is_left(machine: Machine) -> None:
    job = machine.job("leaves-nothing", "sh", "-c", "(setsid sleep 300 &); exec sleep 300")
    job.online()
    job.process.send_signal(signal.SIGTERM)
    assert job.end() == 143
    wait_until(
        lambda: not processes(lambda _, env: "leaves-nothing" in env.get("SM_SSH_ROOT", "")), what="processes gone"
    )


def test_stop_reaches_the_command_and_waits_for_it(machine: Machine) -> None:
    job = machine.job(
        "stops-well", "sh", "-c", "trap 'echo saving; exit 3' TERM; echo ready; while :; do sleep 1; done"
    )
    job.saw("ready")
    job.process.send_signal(signal.SIGINT)
    assert job.end() == 3
    assert "saving" in job.log


def test_each_node_has_its_tree_and_its_name_in_the_log(machine: Machine) -> None:
    script = "cat $SAGEMAKER_BASE_DIR/input/config/resourceconfig.json; echo"
    done = machine.run("local", "run", "--nodes", "3", "--", "sh", "-c", script)
    assert done.returncode == 0
    for node in ("algo-1", "algo-2", "algo-3"):
        text = "".join(line.partition("| ")[2] for line in done.stdout.splitlines(True) if line.startswith(node))
        config = json.loads(re.sub(r"^\[sm-ssh\].*$", "", text, flags=re.MULTILINE))
        assert config["current_host"] == node
        assert config["hosts"] == ["algo-1", "algo-2", "algo-3"]


def test_one_failed_node_ends_the_job_with_its_status(machine: Machine) -> None:
    config = "$SAGEMAKER_BASE_DIR/input/config/resourceconfig.json"
    script = f'grep -q \'"current_host": "algo-2"\' {config} && exit 9; exec sleep 300'
    assert machine.run("local", "run", "--nodes", "2", "--", "sh", "-c", script).returncode == 9


@pytest.mark.parametrize(
    ("code", "cause", "wait"),
    [
        ("AccessDeniedException", "access denied", "0"),
        ("AccessDeniedException", "access denied", "300"),  # nobody can get in any more, so the hold ends at once
        ("ThrottlingException", "throttling", "0"),
        ("ThrottlingException", "throttling", "3"),
    ],
)
def test_ssh_that_cannot_be_set_up_never_harms_the_job(faults: Machine, code: str, cause: str, wait: str) -> None:
    fault(faults, operation="CreateActivation", code=code, times=None)
    done = faults.run("local", "run", "--wait", wait, "--", "sh", "-c", UNTIL_FAILED)
    assert done.returncode == 6
    errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
    assert len(errors) == 1
    assert cause in errors[0]
    assert "hint" in errors[0]
    assert "Traceback" not in done.stdout + done.stderr


def test_throttling_that_ends_is_survived(faults: Machine) -> None:
    fault(faults, operation="CreateActivation", code="ThrottlingException", times=4)
    job = faults.job("throttled", "sleep", "300")
    job.online()
    job.kill()


def test_fail_mode_ends_with_the_reason_in_the_failure_file(faults: Machine) -> None:
    fault(faults, operation="CreateActivation", code="AccessDeniedException", times=None)
    done = faults.run("local", "run", "--name", "must-have-ssh", "--env", "SSH_ON_ERROR=fail", "--", "echo", "ran")
    assert done.returncode == 1
    assert "| ran" not in done.stdout
    failures = list((faults.folder / "local").glob("jobs/must-have-ssh/**/opt/ml/output/failure"))
    assert len(failures) == 1
    assert "access denied" in failures[0].read_text()


def test_a_plane_that_is_down_does_not_harm_the_job(machine: Machine) -> None:
    done = machine.run("local", "run", "--env", "AWS_ENDPOINT_URL=http://127.0.0.1:9", "--", "sh", "-c", UNTIL_FAILED)
    assert done.returncode == 6
    errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
    assert len(errors) == 1
    assert "does not answer" in errors[0]


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "not_a_name", "--", "true"),
        ("--nodes", "0", "--", "true"),
        ("--env", "NOVALUE", "--", "true"),
        ("--env", "1X=y", "--", "true"),
        ("--wait", "-1", "--", "true"),
        ("--channel", "train=/no/such/folder", "--", "true"),
        (),
    ],
)
def test_bad_input_is_one_clear_line(machine: Machine, words: tuple[str, ...]) -> None:
    done = machine.run("local", "run", *words)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr
