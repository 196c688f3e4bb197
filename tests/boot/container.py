"""A container for tests: a root folder with our programs in it, an environment, and real processes of the real stub."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sm_ssh_entry.boot import layout, procfs, supervise
from sm_ssh_entry.contract import Paths
from tests.waiting import wait_until

# Signals 32 and 33 are the C library's own, and a parent that used posix_spawn, as make does, leaves them ignored.
LIBRARYS_OWN = 1 << 31 | 1 << 32
AGENT = Path(__file__).with_name("fake_agent.py")


class Container:
    """One root folder. Everything started in it is gone after ``close``."""

    def __init__(self, root: Path, endpoint: str = "http://127.0.0.1:9") -> None:
        self.paths = Paths(str(root))
        layout.install(str(root))
        (self.paths.ml / "output").mkdir(parents=True)
        self.stub = self.paths.bin / "sm-ssh-entry"
        self.env: dict[str, str] = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(root),
            "START_SSH": "true",
            "SSH_SSM_ROLE": "NodeRole",
            "TRAINING_JOB_NAME": "my-job",
            "TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/my-job",
            "SM_SSH_ROOT": str(root),
            "SM_SSH_PYTHON": sys.executable,
            "SM_SSH_AGENT": f"{sys.executable} -I {AGENT}",
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "do-not-log-this-secret",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def spawn(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start the stub with a command. Its output goes to pipes unless a test says otherwise."""
        return self.spawn_argv([str(self.stub), *words], **{"stdin": subprocess.DEVNULL, **options})

    def spawn_argv(self, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start any program with the container's environment, all three streams in pipes."""
        pipe = subprocess.PIPE
        defaults: dict[str, Any] = {"env": self.env, "stdin": pipe, "stdout": pipe, "stderr": pipe}
        process = subprocess.Popen(argv, **{**defaults, **options})
        self._started.append(process)
        return process

    def run(self, *words: str, timeout: float = 120.0) -> subprocess.CompletedProcess[bytes]:
        """Run the stub with a command to its end, and to the end of everything that holds its output open."""
        process = self.spawn(*words)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def entry(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of our own sub-commands."""
        return self._program("sm-ssh-entry", *words)

    def sm_wait(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run sm-wait."""
        return self._program("sm-wait", *words)

    def _program(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(self.paths.bin / name), *words]
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=120, check=False)

    @property
    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.paths.status.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def wait_phase(self, *phases: str, timeout: float = 15.0) -> dict[str, Any]:
        return wait_until(
            lambda: self.status if self.status.get("phase") in phases else {}, timeout, what=f"phase {phases}"
        )

    def agent_starts(self) -> list[dict[str, Any]]:
        """What the fake agent was started with, registrations first."""
        file = self.paths.ssm_state / "started.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def close(self) -> None:
        """End everything that runs here, by its process id, and make sure that it has ended."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr, process.stdin):
                if stream is not None:
                    stream.close()
        services = self.status.get("services")
        if isinstance(services, int) and supervise.running(str(self.paths.run)):
            below = procfs.descendants(services, procfs.processes())
            os.kill(services, signal.SIGTERM)
            wait_until(lambda: not supervise.running(str(self.paths.run)), 20, what="services end")
            assert not [process for process in below if _lives(process)]


def _lives(process: procfs.Process) -> bool:
    now = procfs.processes().get(process.pid)
    return now is not None and now.started == process.started
