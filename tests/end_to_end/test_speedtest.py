"""``sm-ssh speedtest`` over both ways, against the stand-in agent at its own pace and at the official one's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.machine import SM_SSH, Job, Machine
from tests.waiting import wait_until

MODEST = ("--seconds", "2", "--megabytes", "4")


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    job = machine.job("measured", "sleep", "900")
    job.online()
    yield job
    job.kill()


def measured(machine: Machine, job: Job, *words: str) -> dict[str, Any]:
    done = machine.run("speedtest", job.host, "--output", "json", *MODEST, *words)
    assert done.returncode == 0, done.stderr
    assert "measuring up, 1 session" in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def active(machine: Machine) -> int:
    script = "from sm_ssh_entry import aws; print(len(aws.client('ssm').describe_sessions(State='Active')['Sessions']))"
    done = machine.call([SM_SSH[0], "-c", script])
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("over", ["ssh", "ssm"])
def test_both_ways_are_measured_and_nothing_stays(machine: Machine, job: Job, over: str) -> None:
    found = measured(machine, job, "--over", over, "--sessions", "2,1")
    assert found["over"] == over
    assert found["name"] == job.host
    assert found["latency_seconds"]["round_trips"] == 20
    assert 0 < found["latency_seconds"]["least"] <= found["latency_seconds"]["median"]
    assert [one["sessions"] for one in found["rates"]] == [1, 2]
    assert all(one["down_bytes_per_second"] > 0 and one["up_bytes_per_second"] > 0 for one in found["rates"])
    wait_until(lambda: active(machine) == 0, 20, what="no session left")


def test_the_agents_pace_is_what_is_measured_where_it_is_what_limits(machine: Machine) -> None:
    paced = machine.job("paced", "sleep", "900", options=("--env", "SM_SSH_AGENT_PACE=official"))
    paced.online()
    found = measured(machine, paced, "--over", "ssm", "--sessions", "1")
    # 1,024 bytes and a pause of 1 ms: no machine sends more, whatever its speed.
    assert found["rates"][0]["down_bytes_per_second"] < 1_024_000
    assert "0.6 MB/s in one session" in found["verdict"]
    paced.kill()


def test_a_table_for_people_and_the_usual_way(machine: Machine, job: Job) -> None:
    done = machine.run("speedtest", job.host, "--sessions", "1", *MODEST)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("over ssh: ready after ")
    assert lines[1].split() == ["SESSIONS", "DOWN", "MB/s", "UP", "MB/s"]
    assert lines[2].split()[0] == "1"


@pytest.mark.parametrize("words", [["--sessions", "0"], ["--sessions", "1,x"], ["--sessions", "17"]])
def test_what_cannot_be_is_refused(machine: Machine, words: list[str]) -> None:
    done = machine.run("speedtest", "a.training.sagemaker", *words)
    assert done.returncode == 2
    assert "is not a list of numbers" in done.stderr
