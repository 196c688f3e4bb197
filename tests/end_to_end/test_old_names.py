"""The old commands on a job that runs: connect, stop-waiting; and what doctor says of a job as it is submitted here."""

from __future__ import annotations

import json
import sys

from tests.end_to_end.machine import Machine

OLD = [sys.executable, "-m", "sm_ssh_entry.cli.old_names"]


def test_connect_run_command_and_stop_waiting_by_their_old_names(machine: Machine) -> None:
    # It outlives the answer to who released it.
    job = machine.job("old-job", "sh", "-c", "echo it began; exec sleep 4", options=("--wait", "300"))
    job.online()
    done = machine.call([*OLD, "sm-local-ssh-training", "connect", "old-job", "-T", "echo reached $START_SSH"])
    assert done.stdout == "reached true\n", done.stderr
    assert done.stderr.count("is now: sm-ssh connect") == 1
    assert (machine.home / ".ssh" / "sagemaker-ssh-gw.pub").read_text().startswith("ssh-ed25519 ")
    found = json.loads(machine.run("doctor", job.host, "--output", "json").stdout)
    told = {one["check"]: (one["status"], one["detail"]) for one in found}
    assert told["login.session"][0] == "OK", told
    assert told["node.online"][0] == "OK"
    done = machine.call([*OLD, "sm-local-ssh-training", "run-command", "echo", "$HOME and 'quotes'"])
    assert done.stdout == "$HOME and 'quotes'\n", done.stderr
    assert "it began" not in job.log
    done = machine.call([*OLD, "sm-local-ssh-training", "stop-waiting"])
    assert done.returncode == 0, done.stderr
    job.saw("it began")
    assert job.end(timeout=180) == 0


def test_deregistration_by_its_old_name_says_what_would_go(machine: Machine) -> None:
    done = machine.call([*OLD, "sm-ssh-deregister-instances", "--delete-older-than-n-days", "7"])
    assert done.returncode == 0, done.stderr
    assert "is now: sm-ssh deregister --older-than 7d" in done.stderr
    assert "no dead node" in done.stdout
