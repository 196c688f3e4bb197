"""The one runner of child processes. Argument lists only, never a shell string."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sm_ssh_entry.errors import TimedOut, ToolMissing

if TYPE_CHECKING:
    import asyncio

Popen = subprocess.Popen
DEVNULL = subprocess.DEVNULL
PIPE = subprocess.PIPE
STDOUT = subprocess.STDOUT
Expired = subprocess.TimeoutExpired

# A child that is told to end, and one that is made to, seconds.
_TERM_SECONDS = 2.0
_KILL_SECONDS = 5.0
_LOOK_SECONDS = 0.05
# Windows knows no signals: a process is ended there.
_SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)


@dataclass(frozen=True)
class Result:
    """What a finished child left: its status (negative: killed by that signal) and its output as text."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether the child ended with 0."""
        return self.returncode == 0


def join(words: Sequence[str | Path]) -> str:
    """Write words as one shell line, for variables and messages that hold a command."""
    return shlex.join(str(word) for word in words)


def shell_status(returncode: int) -> int:
    """Turn Python's return code into the status a shell reports: 128 + signal for a child that a signal killed."""
    return 128 - returncode if returncode < 0 else returncode


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
) -> Result:
    """Run a child to its end and keep its output.

    Args:
        argv: program and arguments.
        env: the whole environment; None: ours.
        cwd: working folder.
        stdin: text for its standard input; None: /dev/null.
        timeout: seconds, after which it is killed.

    Raises:
        ToolMissing: the program is not there or cannot be executed.
        TimedOut: it was killed at the timeout.
    """
    words = tuple(str(word) for word in argv)
    source: dict[str, Any] = {"stdin": DEVNULL} if stdin is None else {"input": stdin}
    try:
        done = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env=env,
            cwd=cwd,
            timeout=timeout,
            **source,
        )
    except OSError as error:
        raise _missing(words[0], error) from error
    except subprocess.TimeoutExpired as error:
        raise TimedOut(f"{Path(words[0]).name} did not finish within {timeout:g} s") from error
    return Result(words, done.returncode, done.stdout, done.stderr)


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    stdin: int | IO[Any] | None = DEVNULL,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    new_session: bool = False,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child and return at once; the caller waits for it.

    Args:
        argv: program and arguments.
        env: the whole environment; None: ours.
        cwd: working folder.
        stdin: descriptor or file; None: inherited. Likewise stdout and stderr.
        stdout: see stdin.
        stderr: see stdin.
        new_session: give the child a session of its own, so that a terminal's Ctrl-C does not reach it.
        pass_fds: descriptors it keeps.

    Raises:
        ToolMissing: the program is not there or cannot be executed.
    """
    words = [str(word) for word in argv]
    try:
        return subprocess.Popen(
            words,
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=new_session,
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise _missing(words[0], error) from error


async def spawn_async(argv: Sequence[str | Path], **options: Any) -> asyncio.subprocess.Process:
    """Start a child under the running event loop.

    Args:
        argv: program and arguments.
        options: what asyncio.create_subprocess_exec takes (env, cwd, stdin, stdout, stderr, start_new_session).

    Raises:
        ToolMissing: the program is not there or cannot be executed.
    """
    import asyncio

    words = [str(word) for word in argv]
    try:
        return await asyncio.create_subprocess_exec(*words, **options)
    except OSError as error:
        raise _missing(words[0], error) from error


async def see_out(process: asyncio.subprocess.Process, patience: float) -> None:
    """Wait for the end of a child whose standard input is closed; nothing of it is left behind, whatever happens.

    What it still prints is read and dropped, if nobody else is reading: asyncio tells of an end only once the pipes are
    empty. A cancelled caller makes the child hurry and hears of the cancellation once it is gone.

    Args:
        process: the child.
        patience: seconds, after which it is told to end, and soon after made to.
    """
    import asyncio

    cancelled: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    ending = loop.create_task(_over(process))
    for number, seconds in ((0, patience), (signal.SIGTERM, _TERM_SECONDS), (_SIGKILL, _KILL_SECONDS)):
        if number:
            _send(process, number)
        until = loop.time() + seconds
        while process.returncode is None and loop.time() < until and not (cancelled and not number):
            try:
                # Its end may be known before that of a pipe that a grandchild keeps open.
                await asyncio.wait({ending}, timeout=min(_LOOK_SECONDS, seconds))
            except asyncio.CancelledError as error:
                cancelled = error
    ending.cancel()
    # asyncio has no public way to close such a pipe.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
    if cancelled is not None:
        raise cancelled


def _send(process: asyncio.subprocess.Process, number: int) -> None:
    if process.returncode is not None:
        return
    if sys.platform == "win32":
        process.kill()
        return
    # By ourselves: Popen first looks whether the child has ended, and takes its status away from asyncio's watcher.
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


async def _over(process: asyncio.subprocess.Process) -> None:
    if process.stdout is not None:
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: somebody else is reading
            while await process.stdout.read(1 << 16):
                pass
    await process.wait()


def _missing(program: str, error: OSError) -> ToolMissing:
    name = Path(program).name
    return ToolMissing(f"cannot run {name}: {error.strerror or error}", hint=f"install {name}, or put it on PATH")
