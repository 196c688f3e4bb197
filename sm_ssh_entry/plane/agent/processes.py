"""The children of the worker: every one leads a process group, and no group is forgotten.

Each group is reported to the core on the lifeline for as long as it may live, so that even a killed worker leaves none
behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from sm_ssh_entry import command

# Seconds between the polite signal and the other one.
GRACE = 1.0
FAILED_TO_START = 127


class Group:
    """One child and all it started without leaving its process group.

    Args:
        process: the child, leader of its group.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing happens if nobody is left in it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    async def end(self, first: signal.Signals = signal.SIGTERM, *, grace: float = GRACE) -> None:
        """End the group: a signal, some patience, SIGKILL. Returns when the child is reaped.

        A shell puts each of its jobs in a group of its own, and a job may ignore SIGHUP; so SIGKILL goes to every
        process of the session that the child leads.
        """
        self.send_signal(first)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.process.wait(), grace)
        self.send_signal(signal.SIGKILL)
        for pid in session_members(self.process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        await self.process.wait()


class Children:
    """Starts children and keeps the core informed.

    Args:
        lifeline: the worker's end of it; None: there is no core (tests).
        environment: what every child gets on top of the agent's own environment.
    """

    def __init__(self, lifeline: socket.socket | None, environment: dict[str, str]) -> None:
        self._lifeline = lifeline
        self._environment = environment

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a child: the agent's own, the node's names, and more."""
        return {**os.environ, **self._environment, **more}

    @contextlib.asynccontextmanager
    async def group(
        self, argv: Sequence[str | Path], *, env: dict[str, str], keep: bool = False, **options: Any
    ) -> AsyncIterator[Group]:
        """Start a child that leads a session and group of its own; on the way out nobody of it is left.

        Args:
            argv: program and arguments.
            env: its whole environment.
            keep: what the child itself left running in its group stays, once the child has ended: a service that a
                command started. Otherwise the whole group ends.
            options: stdin, stdout, stderr, cwd as for command.spawn_async.

        Raises:
            ToolMissing: the program cannot be started.
        """
        process = await command.spawn_async(argv, env=env, start_new_session=True, **options)
        group = Group(process)
        self._report(f"+{process.pid}\n")
        try:
            yield group
        finally:
            if process.returncode is None or not keep:
                await asyncio.shield(group.end(signal.SIGHUP))
            self._report(f"-{process.pid}\n")

    def _report(self, line: str) -> None:
        if self._lifeline is not None:
            # The socket holds thousands of these lines and the core reads at once. If the core is gone, so are we soon.
            with contextlib.suppress(OSError):
                self._lifeline.send(line.encode("ascii"))


def session_members(session: int) -> list[int]:
    """Return the processes of a session, by its leader's pid. Empty where there is no /proc: groups must do there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may go at any moment; its name, in brackets, may hold anything.
        with contextlib.suppress(OSError, IndexError, ValueError):
            if int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[3]) == session:
                found.append(int(stat.parent.name))
    return found
