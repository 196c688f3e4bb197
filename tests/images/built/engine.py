"""The Docker engine as tests need it: whether it is there, and containers that are gone when the test is over."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tests.waiting import wait_until

# On everything that tests make, so that a person can find what a killed test run has left.
LABEL = "sm-ssh-test"


def docker(
    *words: str, check: bool = True, timeout: float = 120.0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the client to its end; a failure is the test's, with what the client said."""
    done = subprocess.run(["docker", *words], input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
    assert not check or done.returncode == 0, f"docker {words[0]}: {done.stderr}"
    return done


def missing() -> str:
    """Say why no container can run here; ``""``: they can."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    if docker("info", check=False).returncode:
        return "no Docker engine answers"
    if docker("buildx", "version", check=False).returncode:
        return "the Docker client has no buildx"
    return ""


def has_image(image: str) -> bool:
    """Tell whether the engine has an image."""
    return docker("image", "inspect", image, check=False).returncode == 0


def config(image: str) -> dict[str, Any]:
    """Return an image's configuration: Env, Entrypoint, Cmd, User, Labels, Healthcheck."""
    found: dict[str, Any] = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]
    return found


def labels(image: str) -> dict[str, str]:
    """Return an image's labels."""
    return config(image)["Labels"] or {}


def build(dockerfile: str) -> str:
    """Build an image of a Dockerfile without a context; return its name.

    Args:
        dockerfile: its text.
    """
    tag = f"{LABEL}/derived:{uuid.uuid4().hex[:12]}"
    # The host's network, as containers here have it: some engines have no other way out.
    words = ["build", "--quiet", "--load", "--network", "host", "--label", LABEL, "--tag", tag, "-"]
    docker("buildx", *words, stdin=dockerfile, timeout=300)
    return tag


class Container:
    """A container in the background, on the host's network so that it reaches a plane on loopback.

    Args:
        image: its image.
        words: the command.
        env: its environment.
        options: further options of ``docker run``.
    """

    def __init__(self, image: str, words: Sequence[str], env: Mapping[str, str], options: Sequence[str]) -> None:
        self.name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
        done = docker("run", "--detach", "--name", self.name, *arguments(env, options), image, *words, check=False)
        if done.returncode:
            # The engine keeps a container that it could not start.
            self.remove()
            raise AssertionError(f"docker run: {done.stderr}")

    @property
    def log(self) -> str:
        """What the container has written so far, both streams."""
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def saw(self, text: str, timeout: float = 90.0) -> None:
        """Wait until the log has a text."""
        try:
            wait_until(lambda: text in self.log, timeout, every=0.1)
        except AssertionError:
            raise AssertionError(f"not in the log: {text}\n{self.log}") from None

    def inside(self, *words: str) -> str:
        """Run a program in the container, beside the command; return its output."""
        return docker("exec", self.name, *words).stdout

    def processes(self) -> list[tuple[str, str]]:
        """Return state and command line of every process in the container, as the host sees it, its first one first."""
        first = docker("inspect", "--format", "{{.State.Pid}}", self.name).stdout.strip()
        rows = [row.split(None, 2) for row in docker("top", self.name, "-eo", "pid,stat,args").stdout.splitlines()[1:]]
        # By number it need not be: those of the host begin anew some day.
        return [(state, words) for _, state, words in sorted(rows, key=lambda row: row[0] != first)]

    @property
    def status(self) -> dict[str, Any]:
        """Our status file; empty before there is one."""
        done = docker("exec", self.name, "cat", "/run/sm-ssh/status.json", check=False)
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def phase(self, *phases: str, timeout: float = 90.0) -> dict[str, Any]:
        """Wait for a phase; return the status file."""

        def reached() -> dict[str, Any]:
            found = self.status
            return found if found.get("phase") in phases else {}

        try:
            return wait_until(reached, timeout, every=0.1)
        except AssertionError:
            raise AssertionError(f"never {phases}: {self.status}\n{self.log}") from None

    def stop(self, grace: int) -> int:
        """Stop it as the service does, with so many seconds of grace; return its exit status."""
        docker("stop", "--time", str(grace), self.name)
        return self.end()

    def end(self, timeout: float = 180.0) -> int:
        """Wait for its end; return its exit status."""
        return int(docker("wait", self.name, timeout=timeout).stdout)

    def remove(self) -> None:
        """Remove it, running or not."""
        docker("rm", "--force", "--volumes", self.name, check=False)


def arguments(env: Mapping[str, str], options: Sequence[str]) -> list[str]:
    """Return what each ``docker run`` of ours has."""
    pairs = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
    return ["--network", "host", "--label", LABEL, *pairs, *options]
