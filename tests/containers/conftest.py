"""One image and one plane for all tests with containers; each test has containers of its own."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.containers import engine, image
from tests.containers.engine import Container
from tests.end_to_end.machine import Machine

AGENT = "/opt/sm-ssh/bin/python -I -m sm_ssh_entry.plane.agent"


def reason() -> str:
    """Say why containers cannot be tested here; ``""``: they can."""
    lacking = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    return engine.missing() or image.missing() or (f"not installed: {', '.join(lacking)}" if lacking else "")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> str:
    if why := reason():
        pytest.skip(why)
    folder: Path = tmp_path_factory.mktemp("image")
    try:
        return image.build(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def machine(built: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.up()
    try:
        yield machine
    finally:
        machine.down()


class World:
    """Runs containers of the image on the plane. ``env`` is what each of them has: SSH is on."""

    def __init__(self, built: str, machine: Machine) -> None:
        self.machine = machine
        self._image = built
        self._started: list[Container] = []
        plane = {name: value for name, value in machine.env.items() if name.startswith(("AWS_", "SM_SSH_PAYLOAD"))}
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        self.job = f"container-{port}"
        self.host = f"{self.job}.training.sagemaker"
        self.env = plane | {
            "START_SSH": "true",
            "SSH_SSM_ROLE": "service-role/sm-ssh-local",
            "SSH_PORT": port,
            "SM_SSH_AGENT": AGENT,
            "TRAINING_JOB_NAME": self.job,
            "TRAINING_JOB_ARN": f"arn:aws:sagemaker:{plane['AWS_REGION']}:123456789012:training-job/{self.job}",
        }

    def start(self, *words: str, env: Mapping[str, str] | None = None, options: tuple[str, ...] = ()) -> Container:
        """Start a container in the background."""
        container = Container(self._image, words, self.env | dict(env or {}), options)
        self._started.append(container)
        return container

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a container to its end, as ``docker run`` does: its status and output are the container's."""
        given = engine.arguments(self.env | dict(env or {}), ("--rm", *options))
        return engine.docker("run", *given, self._image, *words, check=False)

    def login(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the job over ssh, through the plane."""
        return self.machine.run("run", self.host, "--", *words)

    def straight(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the job over ssh, straight to its sshd; after a first login, which made the key known."""
        key = self.machine.home / ".ssh" / "sm-ssh" / "id_ed25519"
        options = ["-F", "none", "-i", str(key), "-p", self.env["SSH_PORT"], "-o", "BatchMode=yes"]
        # Whose key it is does not matter here: it is loopback, and what is tested is what a login leaves behind.
        hosts = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        return self.machine.call(["ssh", *options, *hosts, "root@127.0.0.1", shlex.join(words)])

    def nodes(self) -> list[dict[str, Any]]:
        """The plane's nodes of this job."""
        done = self.machine.run("list", "--output", "json")
        assert done.returncode == 0, done.stderr
        return [node for node in json.loads(done.stdout) if self.job in json.dumps(node)]

    def close(self) -> None:
        """Remove every container."""
        for container in self._started:
            container.remove()


@pytest.fixture
def world(built: str, machine: Machine) -> Iterator[World]:
    made = World(built, machine)
    try:
        yield made
    finally:
        made.close()
