"""Running one shell script of a command: its output kept up to a limit, its time limited, its process group ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane.agent import descriptors
from sm_ssh_entry.plane.agent.expansion import Script
from sm_ssh_entry.plane.agent.processes import FAILED_TO_START, Children, Group

# Protocol page, section 9.1: what a reply may hold, in characters.
STDOUT_LIMIT = 24_000
STDERR_LIMIT = 8_000
# What the official agent reports for a command that it had to stop.
STOPPED_CODE = 137
CUT = "\n---Output truncated---"
# A service that the script started may hold the pipes open for ever; what the script itself wrote is read by then.
DRAIN_SECONDS = 1.0
_CHUNK = 65536


@dataclass(frozen=True)
class Outcome:
    """How a script ended. ``status`` is Success, Failed, TimedOut or Cancelled."""

    status: str
    code: int
    stdout: str
    stderr: str


async def run(
    script: Script, folder: Path, children: Children, cancelled: asyncio.Event, environment: dict[str, str]
) -> Outcome:
    """Run a script and return how it ended.

    Args:
        script: what to run.
        folder: where the script is kept while it runs; made, and removed with its parent if that is empty.
        children: starts it.
        cancelled: set from outside to end it.
        environment: on top of every child's environment.
    """
    if script.directory and not os.path.isdir(script.directory):  # noqa: ASYNC240, PTH112 - one stat
        return Outcome("Failed", FAILED_TO_START, "", f"working directory {script.directory} does not exist\n")
    path = folder / "_script.sh"
    try:
        _keep(path, script.text)
    except OSError as error:
        return Outcome("Failed", FAILED_TO_START, "", f"the script cannot be written: {error.strerror or error}\n")
    # The file itself is executed, as the official agent does: a script may name its interpreter, and none runs from a
    # folder that is mounted noexec.
    argv = ["/bin/sh", "-c", shlex.quote(str(path))]
    try:
        return await _run(argv, script, children, cancelled, environment)
    except SmSshError as error:
        return Outcome("Failed", FAILED_TO_START, "", f"{error.message}\n")
    finally:
        _remove(path)


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
        path.parent.rmdir()
        path.parent.parent.rmdir()


async def _run(
    argv: list[str], script: Script, children: Children, cancelled: asyncio.Event, environment: dict[str, str]
) -> Outcome:
    out, out_end = descriptors.pipe()
    err, err_end = descriptors.pipe()
    kept_out, kept_err = _Kept(STDOUT_LIMIT), _Kept(STDERR_LIMIT)
    readers: list[asyncio.Task[None]] = []
    try:
        try:
            group = children.group(
                argv,
                env=children.environment(**environment),
                keep=True,
                stdin=command.DEVNULL,
                stdout=out_end,
                stderr=err_end,
                cwd=script.directory or None,
            )
            started = await group.__aenter__()
        finally:
            os.close(out_end)
            os.close(err_end)
        try:
            readers = [asyncio.create_task(kept_out.fill(out)), asyncio.create_task(kept_err.fill(err))]
            status = await _ended(started, script.timeout, cancelled)
            await asyncio.wait(readers, timeout=DRAIN_SECONDS)
        finally:
            await group.__aexit__(None, None, None)
    finally:
        for reader in readers:
            reader.cancel()
        out.close()
        err.close()
    code = command.shell_status(started.process.returncode or 0)
    stderr = kept_err.text()
    if status:
        return Outcome(status, STOPPED_CODE, kept_out.text(), stderr)
    if code:
        stderr += f"failed to run commands: exit status {code}"
    return Outcome("Failed" if code else "Success", code, kept_out.text(), stderr)


async def _ended(group: Group, timeout: float, cancelled: asyncio.Event) -> str:
    """Wait for the end of a script; return why it had to be stopped, ``""`` if it was not."""
    over = asyncio.create_task(group.process.wait())
    stop = asyncio.create_task(cancelled.wait())
    try:
        await asyncio.wait({over, stop}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            return ""
        why = "Cancelled" if stop.done() else "TimedOut"
        await group.end()
        return why
    finally:
        over.cancel()
        stop.cancel()


class _Kept:
    """The beginning of an output; the rest is read and thrown away, so that the writer never blocks."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # A character of UTF-8 has at most four bytes.
        self._room = limit * 4
        self._parts: list[bytes] = []
        self._more = False

    async def fill(self, source: descriptors.Descriptor) -> None:
        while chunk := await source.read(_CHUNK):
            self._more = self._more or len(chunk) > self._room
            if self._room:
                self._parts.append(chunk[: self._room])
                self._room -= len(self._parts[-1])

    def text(self) -> str:
        whole = b"".join(self._parts).decode("utf-8", "replace")
        if len(whole) > self._limit or self._more:
            return whole[: self._limit - len(CUT)] + CUT
        return whole
