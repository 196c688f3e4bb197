"""A job of several nodes of which one registers: the others are reached through it, by their own names."""

from __future__ import annotations

import json

import pytest

from tests.images.built import family
from tests.images.built.local_runs import Runs

pytestmark = pytest.mark.images(family.BASE_12)

COMMAND = ("sh", "-c", "echo node $(hostname) is up; exec sleep 600")


def test_nodes_without_a_registration_are_reached_through_one_that_has_it(runs: Runs) -> None:
    runs.machine.run("connect", "--print-config")  # makes the key
    key = " ".join((runs.machine.home / ".ssh" / "sm-ssh" / "id_ed25519.pub").read_text().split()[:2])
    given = ("--nodes", "3", "--env", "SSH_INSTANCE_COUNT=1", "--env", f"SSH_AUTHORIZED_KEYS={key}")
    job = runs.start("many", *COMMAND, options=given)
    job.online()
    # Two of the three say nothing to Systems Manager.
    listed = json.loads(runs.machine.run("list", "training.sagemaker", "--output", "json").stdout)
    assert [one["node"] for one in listed if one["resource"] == "many"] == ["algo-1"], listed
    for number in (1, 2, 3):
        host = f"algo-{number}.{job.host}"
        done = runs.machine.run("run", host, "--", "hostname")
        assert (done.returncode, done.stdout) == (0, f"algo-{number}\n"), done.stderr
        # And by plain ssh.
        done = runs.ssh(host, "hostname")
        assert (done.returncode, done.stdout) == (0, f"algo-{number}\n"), done.stderr
    done = runs.machine.run("run", f"algo-4.{job.host}", "--", "hostname")
    assert done.returncode == 10
    assert "3 nodes" in done.stderr
