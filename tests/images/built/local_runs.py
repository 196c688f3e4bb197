"""``sm-ssh local run --image`` on a user's machine, and what it leaves on the engine."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.end_to_end.machine import Job, Machine
from tests.images.built import engine
from tests.waiting import wait_until

LABEL = "sm-ssh.job"
# Every image with our layer has this one; whether it has another is the image's own affair.
PYTHON = "/opt/sm-ssh/bin/python"


class Runs:
    """Starts jobs in containers of one image.

    Args:
        machine: the user's machine, whose plane runs.
        image: the image's full name.
    """

    def __init__(self, machine: Machine, image: str) -> None:
        self.machine = machine
        self.image = image
        self._jobs: list[Job] = []

    def start(self, name: str, *command: str, options: tuple[str, ...] = (), image: str = "", kind: str = "") -> Job:
        """Start a job in the background."""
        words = ("--image", image or self.image, *(("--kind", kind) if kind else ()), *options)
        job = self.machine.job(name, *command, options=words)
        if kind:
            job.host = f"{name}.{kind}.sagemaker"
        self._jobs.append(job)
        return job

    def to_the_end(self, name: str, *command: str, **more: Any) -> tuple[int, str]:
        """Run a job to its end; return its status and all that it printed."""
        job = self.start(name, *command, **more)
        return job.end(timeout=270), job.log

    def ssh(self, host: str, *command: str, options: tuple[str, ...] = (), **more: Any) -> Any:
        """Run the system's ssh to a job with the README's configuration."""
        config = self.machine.home / "config-local-run"
        config.write_text("BatchMode yes\n" + self.machine.run("connect", "--print-config").stdout)
        return self.machine.call(["ssh", "-F", str(config), *options, host, *command], **more)

    def left(self) -> list[str]:
        """Return what jobs of this machine have on the engine, and where its plane listens for them."""
        return [*on_engine(self.machine.folder), *self.plane()["listeners"]]

    def plane(self) -> dict[str, Any]:
        """Return the plane's status."""
        found = json.loads(self.machine.run("local", "status", "--output", "json").stdout)
        assert isinstance(found, dict)
        return found

    def described(self, name: str, kind: str = "training") -> dict[str, Any]:
        """Return what SageMaker says of a job."""
        noun = f"{kind.capitalize()}Job"
        script = (
            "import boto3, json; c = boto3.client('sagemaker');"
            f"print(json.dumps(c.describe_{kind}_job({noun}Name={name!r}), default=str)); c.close()"
        )
        done = self.machine.call([sys.executable, "-W", "ignore", "-c", script])
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return {key.removeprefix(noun): value for key, value in found.items()}

    def files(self, name: str, node: str = "algo-1") -> Path:
        """Return /opt/ml of one node of a job's only run."""
        return self.machine.folder / "local" / "jobs" / name / "1" / node / "opt" / "ml"

    def close(self) -> None:
        """End every job; what one has left is an error that the next test would have to live with."""
        for job in self._jobs:
            wait_until(functools.partial(ended, job), 60, every=0.5, what="the job has ended")
        wait_until(lambda: not self.left(), 60, every=0.2, what="nothing left on the engine")


def ended(job: Job) -> bool:
    """Ask a job to end, more and more urgently; tell whether it has."""
    if job.process.poll() is None:
        job.process.send_signal(signal.SIGTERM)
    return job.process.poll() is not None


def on_engine(folder: Path) -> list[str]:
    """Return the containers and networks of jobs whose folder is below another one."""
    show = ("--filter", f"label={LABEL}", "--format", '{{.ID}} {{.Label "' + LABEL + '"}}')
    found = engine.docker("ps", "--all", *show).stdout + engine.docker("network", "ls", *show).stdout
    return [line for line in found.splitlines() if f"{folder}/" in line]


def container_of(runs: Runs, name: str, node: str = "algo-1") -> str:
    """Return the id of a node's container."""
    folder = runs.files(name, node).parents[2]
    found = engine.docker("ps", "--quiet", "--filter", f"label={LABEL}={folder}", "--filter", f"name=-{node}$").stdout
    return found.strip()


@contextmanager
def docker_that(folder: Path, script: str) -> Iterator[dict[str, str]]:
    """Put a client before the real one on PATH; gives the environment. ``$real`` in the script is the real one.

    Args:
        folder: an empty folder.
        script: what runs before the real client is called with the same arguments.
    """
    real = shutil.which("docker")
    client = folder / "docker"
    client.write_text(f'#!/bin/sh\nreal={real}\n{script}\nexec $real "$@"\n')
    client.chmod(0o755)
    yield {"PATH": f"{folder}:{os.environ['PATH']}"}


def words_of(log: str, node: str = "algo-1") -> str:
    """Return what one node printed, without our own lines."""
    lines = [re.sub(rf"^{node} +\| ", "", line) for line in log.splitlines() if line.startswith(node)]
    return "\n".join(line for line in lines if not line.startswith("[sm-ssh]"))
