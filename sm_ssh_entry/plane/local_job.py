"""``sm-ssh local run``: a job on this machine's plane, from its record in SageMaker to its last status.

The path: a plane that runs (one is started where none does, and stopped again) -> the job's record -> its folder ->
its nodes as cells -> the record's end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from sm_ssh_entry import contract
from sm_ssh_entry.errors import PlaneDown, ServiceError
from sm_ssh_entry.plane import daemon, jobs
from sm_ssh_entry.plane.environment import client_environment

# The agent of machines without the official one; another command line may be named in the environment.
STANDIN_AGENT = (sys.executable, "-I", "-m", "sm_ssh_entry.plane.agent")
# SageMaker keeps this much of the failure file (contract page, section 1.3).
FAILURE_CHARACTERS = 1024


def default_name() -> str:
    """Return a job name that this second and process have to themselves."""
    return f"local-{time.strftime('%Y-%m-%d-%H-%M-%S')}-{os.getpid()}"


def run(
    job: jobs.Job,
    *,
    prepare: Callable[[str], object],
    say: Callable[[str], None],
    out: IO[bytes],
    stop_seconds: float = jobs.STOP_SECONDS,
) -> int:
    """Run a checked job and return its exit status.

    Args:
        job: the job; its folder is the plane's, and the job gets one of its own in it.
        prepare: puts our scripts below a root folder.
        say: takes one line for the user.
        out: where the nodes' output goes.
        stop_seconds: how long a stop waits before it kills.

    Raises:
        PlaneDown: no plane runs and none could be started.
        ServiceError: a job of that name runs already.
    """
    with _plane(job.folder) as state, _recorded(job, state) as arn:
        placed = dataclasses.replace(job, folder=_new_folder(job))
        keys = {"AWS_ACCESS_KEY_ID": state.access_key, "AWS_SECRET_ACCESS_KEY": state.secret_key}
        plane = client_environment(url=state.url, region=state.region, keys=keys)
        agent = shlex.split(os.environ.get(contract.AGENT, "")) or STANDIN_AGENT
        say(f"job {job.name}, {job.nodes} node{'s' if job.nodes > 1 else ''}, on {state.url}, files in {placed.folder}")
        say(f'to log in: eval "$(sm-ssh local env)"; sm-ssh connect {job.name}.training.sagemaker')
        status = jobs.run(
            placed,
            environments={
                node: jobs.environment_of(placed, node, plane=plane, arn=arn, agent=agent) for node in placed.node_names
            },
            prepare=prepare,
            out=out,
            stop_seconds=stop_seconds,
        )
        _close(placed, state, status)
    return status


@contextlib.contextmanager
def _plane(where: Path) -> Iterator[daemon.State]:
    """Use the plane that runs; start one where none does, and stop it again."""
    state = daemon.running(where)
    if state is not None:
        yield state
        return
    state = daemon.start(where)
    try:
        yield state
    finally:
        daemon.stop(where)


@contextlib.contextmanager
def _recorded(job: jobs.Job, state: daemon.State) -> Iterator[str]:
    """Have SageMaker know the job while it runs; gives its ARN."""
    name = {"name": job.name, "region": state.region}
    record = daemon.ask(state, "POST", "jobs", name | {"nodes": job.nodes})
    try:
        yield str(record["TrainingJobArn"])
    except BaseException:
        with contextlib.suppress(PlaneDown, ServiceError):
            daemon.ask(state, "POST", "jobs", name | {"job_status": "Stopped"})
        raise


def _close(job: jobs.Job, state: daemon.State, status: int) -> None:
    """Record how the job ended. A plane that was stopped meanwhile has nobody left to tell."""
    ended = {0: "Completed", 128 + signal.SIGTERM: "Stopped", 128 + signal.SIGKILL: "Stopped"}.get(status, "Failed")
    failure = _failure(job) if ended == "Failed" else ""
    with contextlib.suppress(PlaneDown, ServiceError):
        fields = {"name": job.name, "region": state.region, "job_status": ended, "failure": failure}
        daemon.ask(state, "POST", "jobs", fields)


def _failure(job: jobs.Job) -> str:
    """Return what the first node that says why wrote into its failure file."""
    for node in job.node_names:
        with contextlib.suppress(OSError):
            text = contract.Paths(str(job.root(node))).failure.read_text(encoding="utf-8", errors="replace")
            return text[:FAILURE_CHARACTERS]
    return ""


def _new_folder(job: jobs.Job) -> Path:
    """Make the folder of this run: an earlier run of the same name keeps its own, with the model that it wrote."""
    folder = job.folder / "jobs" / job.name
    number = 1
    while True:
        with contextlib.suppress(FileExistsError):
            (folder / str(number)).mkdir(mode=0o700, parents=True)
            return folder / str(number)
        number += 1
