"""A training job on the local plane, as plain processes: one cell for each node, under a folder of its own.

The path: a name and its folders -> the nodes' environment -> cells started, logs followed -> the first failure or the
end of all -> everything stopped as SageMaker stops a job.
"""

from __future__ import annotations

import math
import os
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TypeAlias

from sm_ssh_entry import command, contract
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane import opt_ml
from sm_ssh_entry.plane.cell import KILL
from sm_ssh_entry.plane.streaming import LineWriter, follow

# CreateTrainingJob: pattern and length of TrainingJobName.
NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
MAX_NODES = 64
# The service's own: SIGTERM, this long, SIGKILL (contract page, section 1.3).
STOP_SECONDS = 120.0
# What a process needs of this machine to run at all. Everything else would not be there in a container either.
PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TERM",
    "TMPDIR",
    "VIRTUAL_ENV",
)


@dataclass(frozen=True)
class Job:
    """What to run.

    Args:
        name: training job's name.
        argv: the user's command.
        nodes: how many nodes.
        folder: the job's own folder; each node's root is a folder below it.
        environment: variables for every node, on top of what SageMaker sets.
        channels: input channel -> folder with its files.
        hyperparameters: the flat string map.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    nodes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Path] = field(default_factory=dict)
    hyperparameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def node_names(self) -> list[str]:
        """``algo-1`` and so on."""
        return [f"algo-{i}" for i in range(1, self.nodes + 1)]

    def root(self, node: str) -> Path:
        """Return the root folder of one node."""
        return self.folder / node


@dataclass(frozen=True)
class Started:
    """One running node: its name, its cell, and the thread that follows its log."""

    node: str
    cell: command.Popen[bytes]
    log: threading.Thread


# What happens to a running job, in order: a node that ended, or None for a request to stop.
Events: TypeAlias = "queue.SimpleQueue[Started | None]"


def checked(job: Job) -> Job:
    """Return the job, or say in one line what the service would refuse.

    Raises:
        BadInput: the name, the number of nodes or the command cannot be.
    """
    if not NAME_PATTERN.fullmatch(job.name):
        raise BadInput(f"{job.name!r} cannot name a job", hint="up to 63 letters, digits and single hyphens inside")
    if not 1 <= job.nodes <= MAX_NODES:
        raise BadInput(f"{job.nodes} nodes", hint=f"1 to {MAX_NODES} fit on one machine")
    if not job.argv:
        raise BadInput("no command to run", hint="sm-ssh local run -- CMD [ARGS]")
    for channel, source in job.channels.items():
        if not source.is_dir():
            raise BadInput(f"channel {channel}: {source} is not a folder")
    return job


def environment_of(job: Job, node: str, *, plane: Mapping[str, str], arn: str, agent: Sequence[str]) -> dict[str, str]:
    """Return what one node's process finds in its environment.

    Args:
        job: the job.
        node: the node's name.
        plane: the variables that make an AWS client use the plane.
        arn: the job's ARN.
        agent: command line of the agent to run.
    """
    root = job.root(node)
    ours = {
        contract.START_SSH: "true",
        contract.SSH_SSM_ROLE: "service-role/sm-ssh-local",
        contract.ROOT: str(root),
        contract.AGENT: command.join(agent),
        contract.PYTHON: sys.executable,
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": arn,
        "SAGEMAKER_BASE_DIR": str(root / "opt" / "ml"),
        # SageMaker's training toolkit waits up to 15 minutes for every node's DNS name; here there is none to come.
        "SM_STUDIO_LOCAL_MODE": "true",
    }
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | dict(plane) | ours | dict(job.environment)


def run(
    job: Job,
    *,
    environments: Mapping[str, Mapping[str, str]],
    prepare: Callable[[str], object],
    out: IO[bytes],
    stop_seconds: float = STOP_SECONDS,
) -> int:
    """Run a job to its end and return its exit status: the first failed node's, else 0.

    A node that fails ends the job, as on SageMaker. SIGINT or SIGTERM to this process stops the job: SIGTERM to each
    node's first process, ``stop_seconds`` to end, SIGKILL; a second one kills at once.

    Args:
        job: a checked job.
        environments: node -> its environment.
        prepare: puts our scripts below a root folder.
        out: where the nodes' output goes, each line behind the node's name.
        stop_seconds: the service's 120.
    """
    writer = LineWriter(out)
    width = max(len(node) for node in job.node_names)
    for node in job.node_names:
        root = job.root(node)
        opt_ml.lay_out(
            root / "opt" / "ml",
            node=node,
            nodes=job.node_names,
            channels=job.channels,
            hyperparameters=job.hyperparameters,
        )
        prepare(str(root))
    happened: Events = queue.SimpleQueue()
    with _requests(happened):
        running = [_start(job, node, environments[node], writer, width) for node in job.node_names]
        status = _wait(running, happened, stop_seconds)
    for one in running:
        one.log.join(timeout=5.0)
    return status


def _start(job: Job, node: str, environment: Mapping[str, str], writer: LineWriter, width: int) -> Started:
    entry = contract.Paths(str(job.root(node))).bin / "sm-ssh-entry"
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as sink:
        cell = command.spawn(
            [sys.executable, "-I", "-m", "sm_ssh_entry.plane.cell", entry, *job.argv],
            env=environment,
            stdout=sink,
            stderr=sink,
            new_session=True,
        )
    return Started(node, cell, follow(os.fdopen(read_end, "rb"), writer, f"{node:<{width}} | "))


def _wait(running: Sequence[Started], happened: Events, stop_seconds: float) -> int:
    """Wait for all cells; begin the stop at the first failure or request; return the status."""
    for one in running:
        threading.Thread(target=_report, args=(one, happened), name=f"wait {one.node}", daemon=True).start()
    status = 0
    left = list(running)
    kill_at: float | None = None
    while left:
        ended = _next(happened, kill_at)
        if ended is not None:
            left.remove(ended)
            status = status or command.shell_status(ended.cell.returncode)
        if kill_at is None and (status or ended is None):
            kill_at = time.monotonic() + stop_seconds
            _signal(left, signal.SIGTERM)
        elif ended is None:
            kill_at = math.inf
            _signal(left, KILL)
    return status


def _next(happened: Events, deadline: float | None) -> Started | None:
    """Return the node that ended; None: somebody asked to stop, or the deadline passed."""
    try:
        if deadline is None:
            return happened.get()
        return happened.get(timeout=min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX))
    except queue.Empty:
        return None


def _report(one: Started, happened: Events) -> None:
    one.cell.wait()
    happened.put(one)


@contextmanager
def _requests(happened: Events) -> Iterator[None]:
    """Note SIGINT and SIGTERM in the queue instead of dying of them."""

    def note(_number: int, _frame: FrameType | None) -> None:
        happened.put(None)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal(nodes: Sequence[Started], number: int) -> None:
    for one in nodes:
        one.cell.send_signal(number)
