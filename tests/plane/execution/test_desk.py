"""The desk and its runners: nothing of a job outlives its plane, and no plane touches another one's jobs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Settings
from tests.end_to_end.machine import Machine, processes
from tests.end_to_end.submitted import Submitter, steps
from tests.waiting import wait_until

# Nothing but SIGKILL ends it.
STUBBORN = ("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done")


@contextlib.contextmanager
def running(folder: Path, name: str) -> Iterator[tuple[PlaneThread, Submitter]]:
    """Run a plane with a job on it that does not end."""
    folder.mkdir()
    with PlaneThread(settings=Settings(jobs="processes"), folder=folder) as plane:
        submitter = Submitter(plane.environment())
        try:
            submitter.train(name, *STUBBORN)
            wait_until(lambda: in_job(folder, name), 30, what=f"{name} runs")
            yield plane, submitter
        finally:
            submitter.close()


def in_job(folder: Path, name: str) -> list[int]:
    """Return the processes of a job's nodes."""
    root = f"{folder / 'jobs' / name}/"
    return processes(lambda _, env: env.get("SM_SSH_ROOT", "").startswith(root))


def runners(folder: Path) -> list[int]:
    """Return the runners of a plane."""
    return processes(
        lambda words, env: "sm_ssh_entry.cli.local_runner" in words and env.get("SM_SSH_LOCAL_DIR") == str(folder)
    )


def test_a_plane_that_stops_takes_its_jobs_along_and_no_others(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    # Two names, for in one process planes share what moto keeps.
    with running(two, "second"):
        with running(one, "first"):
            assert in_job(one, "first")
            assert in_job(two, "second")
        # A process that ignores SIGTERM is not waited for: there is nobody left to wait.
        wait_until(lambda: not in_job(one, "first") and not runners(one), 20, what="nothing of the first plane runs")
        assert in_job(two, "second")
        assert runners(two)


def test_a_reset_ends_jobs_and_what_they_say_later_is_not_another_jobs(tmp_path: Path) -> None:
    with running(tmp_path / "plane", "again") as (plane, submitter):
        before = in_job(tmp_path / "plane", "again")
        plane.reset()
        submitter.train("again", "sleep", "600")
        submitter.reached("again", "Training")
        wait_until(lambda: not set(before) & set(in_job(tmp_path / "plane", "again")), 20, what="the first one is gone")
        assert submitter.described("again")["SecondaryStatus"] == "Training"


def test_a_plane_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.run("local", "up", "--jobs", "processes").returncode == 0
    machine.up()
    folder = tmp_path / "local"
    try:
        submitter = Submitter(machine.env)
        submitter.train("job", *STUBBORN)
        wait_until(lambda: in_job(folder, "job"), 30, what="the job runs")
        submitter.close()
        (plane,) = processes(
            lambda words, env: "sm_ssh_entry.plane.daemon" in words and env.get("SM_SSH_LOCAL_DIR") == str(folder)
        )
        os.kill(plane, signal.SIGKILL)
        wait_until(lambda: not in_job(folder, "job") and not runners(folder), 20, what="nothing runs any more")
    finally:
        machine.down()


def test_a_failure_of_ours_is_tried_again_as_often_as_the_request_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No engine is here, and none of the other programs is needed.
    monkeypatch.setenv("PATH", str(tmp_path))
    with PlaneThread(settings=Settings(jobs="containers"), folder=tmp_path) as plane:
        submitter = Submitter(plane.environment())
        submitter.train("tried", "true", RetryStrategy={"MaximumRetryAttempts": 2})
        submitter.train("once", "true")
        described = {name: submitter.ended(name) for name in ("tried", "once")}
        submitter.close()
    once = ["Starting", "Downloading"]
    assert steps(described["once"]) == [*once, "Failed"]
    again = ["Downloading", "Restarting"]
    assert steps(described["tried"]) == ["Starting", *again, *again, "Downloading", "Failed"]
    reason = "InternalServerError: We encountered an internal error. Please try again. (Local plane: docker is not"
    assert described["tried"]["FailureReason"].startswith(reason)


def test_a_plane_of_records_runs_nothing(tmp_path: Path) -> None:
    with PlaneThread(settings=Settings(jobs="records"), folder=tmp_path) as plane:
        submitter = Submitter(plane.environment())
        submitter.train("record", "true")
        assert submitter.described("record")["TrainingJobStatus"] == "Completed"
        submitter.close()
    assert not (tmp_path / "runners").exists()
