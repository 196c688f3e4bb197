"""A job on the local plane, and how it runs as plain processes: one cell for each node, under a folder of its own.

The path: a name and its folders -> the nodes' environment -> cells started, logs followed -> the first failure or the
end of all -> everything stopped as SageMaker stops a job.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sm_ssh_entry import command, contract
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane import kinds, running
from sm_ssh_entry.plane.cell import KILL
from sm_ssh_entry.plane.opt_ml import InstanceGroup
from sm_ssh_entry.plane.streaming import LineWriter, follow

# CreateTrainingJob: pattern and length of TrainingJobName.
NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
MAX_NODES = 64
# The service's own: ChannelName of CreateTrainingJob; a name of dots alone would be another folder.
CHANNEL_PATTERN = re.compile(r"(?!\.+$)[A-Za-z0-9.\-_]{1,64}")
# How long the last lines of an ended node may take to be printed.
LOG_SECONDS = 5.0
# Our entry in an image.
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
        name: job's name.
        argv: the user's command.
        nodes: how many nodes.
        folder: the job's own folder; each node's root is a folder below it.
        environment: variables for every node, on top of what SageMaker sets.
        channels: input channel -> folder with its files.
        hyperparameters: the flat string map.
        kind: as in the names by which they are reached: ``training`` and so on.
        native: whether SageMaker's own way in is switched on.
        submitted: whether its environment is all that its request asked for; else SSH is on by itself.
        entrypoint: what replaces the image's ENTRYPOINT and CMD, before ``argv``; a submitted job's.
        request: a submitted job's Create request.
        groups: a training job's instance groups; ``()``: one of all nodes.
        channel_settings: node -> channel -> what inputdataconfig.json says of it; empty: what ``channels`` needs.
        mounts: node -> (folder, full path in the container, whether it is read-only), on top of its channels.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    kind: str = "training"
    nodes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Path] = field(default_factory=dict)
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    native: bool = False
    submitted: bool = False
    entrypoint: tuple[str, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[InstanceGroup, ...] = ()
    channel_settings: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    mounts: Mapping[str, Sequence[tuple[Path, str, bool]]] = field(default_factory=dict)

    @property
    def node_names(self) -> list[str]:
        """``algo-1`` and so on."""
        return [f"algo-{i}" for i in range(1, self.nodes + 1)]

    def root(self, node: str) -> Path:
        """Return the root folder of one node."""
        return self.folder / node

    def log_prefix(self, node: str) -> str:
        """Return what stands before each line of a node's output."""
        return f"{node:<{max(len(name) for name in self.node_names)}} | "

    def command(self, node: str) -> list[str]:
        """Return the command of a node that is a process: what a request says below /opt/ml lies below its root.

        Args:
            node: the node.
        """
        words = [*self.entrypoint, *self.argv]
        if not self.submitted:
            return words
        # Every node has one of its own before its command.
        for ours in (contract.ENTRY_PREFIX, (contract.ENTRY,)):
            if tuple(words[: len(ours)]) == ours:
                words = words[len(ours) :]
        return [f"{self.root(node)}{word}" if word.startswith("/opt/ml/") else word for word in words]


def checked(job: Job) -> Job:
    """Return the job, or say in one line what the service would refuse.

    Raises:
        BadInput: the name, the number of nodes or the command cannot be.
    """
    if not NAME_PATTERN.fullmatch(job.name):
        raise BadInput(f"{job.name!r} cannot name a job", hint="up to 63 letters, digits and single hyphens inside")
    if not 1 <= job.nodes <= MAX_NODES:
        raise BadInput(f"{job.nodes} nodes", hint=f"1 to {MAX_NODES} fit on one machine")
    for channel, source in job.channels.items():
        if not CHANNEL_PATTERN.fullmatch(channel):
            raise BadInput(f"{channel!r} cannot name a channel", hint="up to 64 letters, digits, dots, - and _")
        if not source.is_dir():
            raise BadInput(f"channel {channel}: {source} is not a folder")
    return kinds.checked(job)


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
        contract.ROOT: str(root),
        contract.AGENT: command.join(agent),
        contract.PYTHON: sys.executable,
        "SAGEMAKER_BASE_DIR": str(root / "opt" / "ml"),
        # SageMaker's training toolkit waits up to 15 minutes for every node's DNS name; here there is none to come.
        "SM_STUDIO_LOCAL_MODE": "true",
    }
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | dict(plane) | ours | kinds.variables(job, arn) | kinds.requested(job)


@dataclass(frozen=True)
class CellNode:
    """One running node: its name, its cell, and the thread that follows its log."""

    name: str
    cell: command.Popen[bytes]
    log: threading.Thread

    def wait(self) -> int:
        """Wait for its end and return its status."""
        return command.shell_status(self.cell.wait())

    def stop(self) -> None:
        """Send SIGTERM to the user's command."""
        self.cell.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill all that runs in it."""
        self.cell.send_signal(KILL)


def run(
    job: Job,
    *,
    arn: str,
    environments: Mapping[str, Mapping[str, str]],
    prepare: Callable[[str], object],
    logs: Mapping[str, Callable[[bytes], object]],
    say: Callable[[str], None],
    out: IO[bytes],
    stop_seconds: float = STOP_SECONDS,
    happened: running.Events | None = None,
) -> running.End:
    """Run a job to its end and return how it ended.

    A node that fails ends the job, as on SageMaker. SIGINT or SIGTERM to this process stops the job: SIGTERM to each
    node's first process, ``stop_seconds`` to end, SIGKILL; a second one kills at once.

    Args:
        job: a checked job.
        arn: its ARN.
        environments: node -> its environment.
        prepare: puts our scripts below a root folder.
        logs: node -> what is told each line of its output.
        say: takes one line for the user.
        out: where the nodes' output goes, each line behind the node's name.
        stop_seconds: the service's 120.
        happened: requests to stop; None: this process's signals are.
    """
    writer = LineWriter(out)
    for node in job.node_names:
        root = job.root(node)
        points = kinds.lay_out(job, node, root / "opt" / "ml", arn=arn, interface="lo", image=kinds.Image())
        for channel, point in points.items():
            with contextlib.suppress(FileNotFoundError):
                point.rmdir()
            point.parent.mkdir(parents=True, exist_ok=True)
            point.symlink_to(job.channels[channel].resolve(), target_is_directory=True)
        for source, target, _ in job.mounts.get(node, ()):
            link = root / target.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                link.rmdir()
            link.symlink_to(source.resolve(), target_is_directory=True)
        prepare(str(root))
    with running.stop_requests(happened) as requests:
        nodes = [start_node(job, node, environments[node], writer, logs[node]) for node in job.node_names]
        end = running.until_end(nodes, requests, stop_seconds=stop_seconds, say=say)
    for one in nodes:
        one.log.join(timeout=LOG_SECONDS)
    return end


def start_node(
    job: Job, node: str, environment: Mapping[str, str], writer: LineWriter, log: Callable[[bytes], object]
) -> CellNode:
    """Start one node, whose root is laid out; it is told to stop when the thread that calls this ends.

    Args:
        job: its job.
        node: its name.
        environment: its variables.
        writer: where its output goes.
        log: told each line.
    """
    entry = contract.Paths(str(job.root(node))).entry
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as sink:
        cell = command.spawn(
            [sys.executable, "-I", "-m", "sm_ssh_entry.plane.cell", entry, *job.command(node)],
            env=environment,
            stdout=sink,
            stderr=sink,
            new_session=True,
        )
    return CellNode(node, cell, follow(os.fdopen(read_end, "rb"), writer, job.log_prefix(node), seen=log))
