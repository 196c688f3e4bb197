"""A user's machine for end-to-end tests: its own home, its own plane, our commands as real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.waiting import wait_until

SM_SSH = [sys.executable, "-m", "sm_ssh_entry.cli.main"]


class Machine:
    """One user's machine below a folder: HOME, the plane's state and every job are in it.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.env = {**kept, "HOME": str(self.home), "SM_SSH_LOCAL_DIR": str(folder / "local"), "USER": "tester"}
        self.jobs: list[Job] = []

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 180.0
    ) -> subprocess.CompletedProcess[str]:
        """Run ``sm-ssh`` to its end."""
        return self.call([*SM_SSH, *words], env=env, stdin=stdin, timeout=timeout)

    def call(
        self, argv: list[str], *, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 180.0
    ) -> subprocess.CompletedProcess[str]:
        """Run any program to its end."""
        return subprocess.run(
            argv,
            env={**self.env, **(env or {})},
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def up(self) -> None:
        """Start the plane and take its environment over, as ``eval "$(sm-ssh local env)"`` does."""
        done = self.run("local", "up")
        assert done.returncode == 0, done.stderr
        script = f'eval "$({" ".join(SM_SSH)} local env)"; env -0'
        after = self.call(["sh", "-c", script]).stdout.split("\0")
        taken = dict(line.split("=", 1) for line in after if line.startswith(("AWS_", "SM_SSH_", "SSL_")))
        assert "AWS_ENDPOINT_URL" in taken
        self.env.update(taken)

    def down(self) -> None:
        """Stop the jobs and the plane."""
        for job in self.jobs:
            job.kill()
        self.run("local", "down")

    def job(self, name: str, *command: str, options: tuple[str, ...] = ()) -> Job:
        """Start ``sm-ssh local run`` in the background."""
        job = Job(self, name, [*SM_SSH, "local", "run", "--name", name, *options, "--", *command])
        self.jobs.append(job)
        return job


class Job:
    """A job in the background and the log that it has printed so far."""

    def __init__(self, machine: Machine, name: str, argv: list[str]) -> None:
        self.machine = machine
        self.host = f"{name}.training.sagemaker"
        self._text: list[str] = []
        self.process = subprocess.Popen(
            argv,
            env=machine.env,
            cwd=machine.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._text.append(line)

    @property
    def log(self) -> str:
        """Everything printed so far."""
        return "".join(self._text)

    def saw(self, pattern: str, timeout: float = 30.0) -> re.Match[str]:
        """Wait until the log matches, and return the match."""

        def match() -> re.Match[str] | None:
            return re.search(pattern, self.log)

        try:
            return wait_until(match, timeout)
        except AssertionError:
            raise AssertionError(f"not in the log: {pattern}\n{self.log}") from None

    def online(self) -> str:
        """Wait until the node is Online and return its id."""
        done = self.machine.run("wait", self.host, "--timeout", "120")
        assert done.returncode == 0, done.stderr + self.log
        return self.saw(r"Managed instance-id: (mi-[0-9a-f]{17})").group(1)

    def end(self, timeout: float = 120.0) -> int:
        """Wait for the job's end and return its status."""
        status = self.process.wait(timeout)
        self._thread.join(timeout=120)
        return status

    def kill(self) -> None:
        """Stop the job whatever it does."""
        for number in (signal.SIGTERM, signal.SIGTERM):
            if self.process.poll() is None:
                self.process.send_signal(number)
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=120)


def fault(machine: Machine, **fields: object) -> None:
    """Order an error from the plane; no field: take all orders back."""
    state = json.loads((machine.folder / "local" / "plane.json").read_text())
    request = urllib.request.Request(
        machine.env["AWS_ENDPOINT_URL"] + "/_sm-ssh/faults",
        data=json.dumps(fields).encode(),
        headers={"Authorization": f"Bearer {state['token']}"},
    )
    urllib.request.urlopen(request, timeout=120).close()


def processes(seen: Callable[[str, dict[str, str]], bool]) -> list[int]:
    """Return the processes of which a predicate on command line and environment is true. Linux."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            pairs = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words and seen(words, dict(pair.split("=", 1) for pair in pairs if "=" in pair)):
            found.append(int(entry.name))
    return found
