"""A real stand-in agent for tests: its own root folder, its own process, and what /proc says of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_ssh_entry import command
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.plane.server import PlaneThread
from tests.waiting import wait_until

ARGV = [sys.executable, "-m", "sm_ssh_entry.plane.agent"]


@dataclass
class Agent:
    """One node. ``process`` is the core."""

    plane: PlaneThread
    ssm: Any
    root: Path
    log: Path
    node_id: str = ""
    process: command.Popen[bytes] | None = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SM_SSH_"))}
        ours = {"SM_SSH_ROOT": str(self.root), "AWS_ENDPOINT_URL": self.plane.url, "SHELL": "/bin/sh", "ENV": ""}
        return {**kept, **ours, **self.extra}

    @property
    def paths(self) -> Paths:
        return Paths(str(self.root))

    def cli(self, *flags: str, stdin: str | None = None) -> command.Result:
        return command.run([*ARGV, *flags], env=self.environment, stdin=stdin, timeout=120)

    def activate(self, **more: Any) -> list[str]:
        """Create an activation and return the flags that use it."""
        made = self.ssm.create_activation(IamRole="service-role/Node", **more)
        return [
            "-register",
            "-code",
            made["ActivationCode"],
            "-id",
            made["ActivationId"],
            "-region",
            self.plane.plane.region,
        ]

    def register(self) -> str:
        done = self.cli(*self.activate())
        assert done.ok, done
        self.node_id = json.loads(self.paths.registration.read_text())["ManagedInstanceID"]
        return self.node_id

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = command.spawn(ARGV, env=self.environment, stdout=log, stderr=log)

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.terminate()
        status = self.process.wait(timeout=120)
        self.process = None
        return status

    def online(self) -> Agent:
        """Wait until the node is Online with an open control channel."""
        wait_until(self.attached, what=f"node online\n{self.text()}")
        return self

    def attached(self) -> bool:
        def look(plane: Any) -> bool:
            node = plane.store.nodes.get(self.node_id)
            return node is not None and node.control is not None and node.last_ping is not None

        return self.plane.call(look)

    def control(self) -> Any:
        """The node's control channel as the plane holds it, to see whether it is another one."""
        return self.plane.call(lambda plane: plane.store.nodes.get(self.node_id).control)  # type: ignore[union-attr]

    @property
    def core(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def worker(self) -> int:
        """The worker: the core's only child."""
        return wait_until(lambda: next(iter(children(self.core)), 0), what="a worker")

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def run(self, *lines: str, **parameters: Any) -> dict[str, Any]:
        """Run a shell script on the node and return its invocation once it is final."""
        return self.result(self.send(*lines, **parameters))

    def send(self, *lines: str, document: str = "AWS-RunShellScript", **parameters: list[str]) -> str:
        sent = self.ssm.send_command(
            InstanceIds=[self.node_id], DocumentName=document, Parameters={"commands": list(lines), **parameters}
        )
        return str(sent["Command"]["CommandId"])

    def invocation(self, command_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ssm.get_command_invocation(CommandId=command_id, InstanceId=self.node_id)
        return found

    def result(self, command_id: str, timeout: float = 10.0) -> dict[str, Any]:
        def final() -> dict[str, Any] | None:
            found = self.invocation(command_id)
            return found if found["Status"] not in {"Pending", "InProgress", "Delayed", "Cancelling"} else None

        found = wait_until(final, timeout, what="the command's end")
        assert found is not None
        return found


def children(pid: int) -> list[int]:
    """Processes whose parent this is, zombies too."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return sorted(found)


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def long_sleep(number: int) -> str:
    """A command that sleeps for a day or so, with a duration that no other test and no other run has."""
    return f"sleep {90_000 + number}.{os.getpid()}"


def named(text: str) -> Iterator[int]:
    """Processes with a text in their command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_text("utf-8", "replace").replace("\0", " "):
                yield int(path.parent.name)
        except OSError:
            continue
