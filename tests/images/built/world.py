"""Containers of one image on a plane, and ssh into them from the host as a user has it."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from tests.end_to_end.machine import Machine
from tests.images.built import engine
from tests.images.built.engine import Container
from tests.waiting import wait_until

COMPLAINT = re.compile(r"\b(WARN|WARNING|ERROR|CRITICAL|FATAL|Traceback)\b")


def free_port() -> int:
    """Return a port of loopback that nothing listens on: containers share the host's network, and so its ports."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def opened(image: str, machine: Machine) -> Iterator[World]:
    """Give a world; in the end remove its containers, and fail where a log has a line that it should not have.

    Args:
        image: the image's full name.
        machine: the user's machine, whose plane runs.
    """
    world = World(image, machine)
    try:
        yield world
        bad = world.complaints()
    finally:
        world.close()
    assert bad == [], f"world.allow(pattern) is for lines that a test expects: {bad}"


class World:
    """Runs containers of an image on the plane.

    Args:
        image: the image's full name.
        machine: the user's machine, whose plane runs.

    ``env`` is what each container has: SSH is on, in a training job of its own. ``host`` is the job's name for ssh.
    """

    def __init__(self, image: str, machine: Machine) -> None:
        self.machine = machine
        self.image = image
        self._started: list[Container] = []
        self._open: list[subprocess.Popen[bytes]] = []
        self._logs: list[str] = []
        self._allowed: list[str] = []
        plane = {name: value for name, value in machine.env.items() if name.startswith(("AWS_", "SM_SSH_PAYLOAD"))}
        port = str(free_port())
        self.job = f"container-{port}"
        self.host = f"{self.job}.training.sagemaker"
        self.env = plane | {
            "START_SSH": "true",
            "SSH_SSM_ROLE": "service-role/sm-ssh-local",
            "SSH_PORT": port,
            "TRAINING_JOB_NAME": self.job,
            "TRAINING_JOB_ARN": f"arn:aws:sagemaker:{plane['AWS_REGION']}:123456789012:training-job/{self.job}",
        }

    def allow(self, pattern: str) -> None:
        """Expect lines of the log that match: they fail no test."""
        self._allowed.append(pattern)

    def complaints(self) -> list[str]:
        """Return the lines of all logs so far that look like trouble and are not expected."""
        lines = "\n".join([*self._logs, *(container.log for container in self._started)]).splitlines()
        return [
            line
            for line in lines
            if COMPLAINT.search(line) and not any(re.search(pattern, line) for pattern in self._allowed)
        ]

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, options: tuple[str, ...] = (), image: str = ""
    ) -> Container:
        """Start a container in the background; of another image if one is named."""
        container = Container(image or self.image, words, self.env | dict(env or {}), options)
        self._started.append(container)
        return container

    def run(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
        image: str = "",
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a container to its end, as ``docker run`` does: its status and output are the container's."""
        given = engine.arguments(self.env | dict(env or {}), ("--rm", *options))
        done = engine.docker("run", *given, image or self.image, *words, check=False, stdin=stdin)
        self._logs += [done.stdout, done.stderr]
        return done

    def login(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the job over ssh, through the plane, as the image's user."""
        return self.machine.run("run", self.host, "--", *words)

    def stay(self, container: Container) -> None:
        """Log in and stay in, until the test ends: a container that ends without a word leaves ssh waiting for long."""
        words = ["ssh", "-F", self.config(), self.host, "touch /run/stays; exec sleep 300"]
        quiet = subprocess.DEVNULL
        self._open.append(
            subprocess.Popen(
                words, env=self.machine.env, stdin=quiet, stdout=quiet, stderr=quiet, cwd=self.machine.folder
            )
        )
        wait_until(lambda: "stays" in container.inside("ls", "/run").split(), 90, every=0.1, what="logged in")

    def leave(self) -> None:
        """End the logins that stay."""
        for login in self._open:
            login.terminate()
            login.wait()
        self._open.clear()

    def config(self, *lines: str) -> str:
        """Write what the README tells a user to write, with further lines on top; return the file's name.

        Args:
            lines: ssh_config of this job alone.
        """
        done = self.machine.run("connect", "--print-config")
        assert done.returncode == 0, done.stderr
        path = self.machine.home / f"config-{self.job}"
        own = "".join(f"    {line}\n" for line in lines)
        path.write_text(f"Host {self.host}\n    BatchMode yes\n{own}\n{done.stdout}")
        return str(path)

    def ssh(self, *words: str, stdin: str = "", timeout: float = 180.0) -> subprocess.CompletedProcess[str]:
        """Run the system's ssh with the README's configuration; ``words`` are its own options and a command."""
        return self.machine.call(["ssh", "-F", self.config(), *words], stdin=stdin, timeout=timeout)

    def straight(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the job over ssh, straight to its sshd; after a first login, which made the key known."""
        key = self.machine.home / ".ssh" / "sm-ssh" / "id_ed25519"
        options = ["-F", "none", "-i", str(key), "-p", self.env["SSH_PORT"], "-o", "BatchMode=yes"]
        # Whose key it is does not matter here: it is loopback, and what is tested is what a login leaves behind.
        hosts = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        return self.machine.call(["ssh", *options, *hosts, "root@127.0.0.1", shlex.join(words)])

    def nodes(self) -> list[dict[str, Any]]:
        """Return the plane's nodes of this job."""
        done = self.machine.run("list", "--output", "json")
        assert done.returncode == 0, done.stderr
        return [node for node in json.loads(done.stdout) if self.job in json.dumps(node)]

    def close(self) -> None:
        """Remove every container, end every login."""
        for login in self._open:
            login.kill()
            login.wait()
        for container in self._started:
            container.remove()
