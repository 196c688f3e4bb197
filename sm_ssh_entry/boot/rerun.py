"""Runs the job's own command again, in a login: same words, environment, working folder and file mode mask.

While the job is held (before its start, or after a failure) this is what its first process waits for: the time of the
hold begins anew with each rerun. What SageMaker is told of the job changes with ``finish`` alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from sm_ssh_entry.boot import become, environment, log, orders, procfs, status, supervise, user_command
from sm_ssh_entry.boot.signals import SignalPipe
from sm_ssh_entry.boot.user_command import UserCommand
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import AccessDenied, BadInput, NotFound, SetupFailed, TimedOut

_PR_SET_PDEATHSIG = 1
_CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD)
# From the terminal these reach the command by themselves.
_OF_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
# The first process gives the command 30 s to end before it kills it.
_STOPPED_WITHIN = 45.0
_LOOK = 0.05
_QUIET = 2.0
_GRACE = 10.0


class State(Enum):
    """What the job's own command is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    # SSH was started beside what runs (Studio, notebooks, from a script): we know of no command.
    UNKNOWN = "unknown"


class Wanted(NamedTuple):
    """What the user asks for.

    Args:
        words: another command; empty: the job's own.
        beside: run it though the job's command runs.
        stop_first: stop the job's command before.
        finish: where it succeeds, end the job with success.
    """

    words: Sequence[str] = ()
    beside: bool = False
    stop_first: bool = False
    finish: bool = False


def state(paths: Paths) -> State:
    """Return what the job's own command is doing.

    Raises:
        NotFound: SSH is not on here, so there is no job that we know of.
    """
    if not supervise.running(str(paths.run)):
        raise NotFound("SSH is not on in this container", hint="sm-ssh-entry status")
    known = status.read(paths)
    found = known.get("job")
    if found in (State.WAITING.value, State.FAILED.value):
        return State(found)
    return State.RUNNING if known.get("main") else State.UNKNOWN


def run(paths: Paths, wanted: Wanted) -> int:
    """Run it to its end; return its exit status, 128 + signal where one ended it.

    Args:
        paths: where the container keeps its files.
        wanted: what the user asks for.

    Raises:
        BadInput: not in this state of the job, or while another rerun runs.
        NotFound: there is no command to run, or its folder is gone.
        SmSshError: it cannot be started.
    """
    now = state(paths)
    check(now, wanted)
    command, env = _prepared(paths, wanted)
    held = supervise.lock(str(paths.run), orders.LOCK)
    if held is None:
        raise BadInput(
            "another rerun is running in this container",
            hint="end that one first: Ctrl-C in its terminal; that a laptop has vanished is noticed after two minutes",
        )
    try:
        if wanted.stop_first and now is State.RUNNING:
            _stop_first(paths)
        began = time.time()
        orders.send(paths, orders.BEGIN)
        log.say(f"running in {command.folder}; Ctrl-C ends it", fd=2)
        code = _run(command, env)
        orders.send(paths, orders.END)
        _tell(paths, wanted, code, began)
        return code
    finally:
        os.close(held)


def check(now: State, wanted: Wanted) -> None:
    """Make sure that what is asked for has a meaning in this state of the job.

    Args:
        now: the job's state.
        wanted: what the user asks for.

    Raises:
        BadInput: it has none.
    """
    if wanted.beside and wanted.stop_first:
        raise BadInput("--beside and --stop-first exclude each other", hint="give one of them")
    if now in (State.WAITING, State.FAILED):
        return
    if now is State.RUNNING and not (wanted.beside or wanted.stop_first):
        raise BadInput(
            "the job's own command is running",
            hint="--beside runs another one beside it, --stop-first stops it before (with SSH_HOLD_ON_FAILURE_SECONDS)",
        )
    if wanted.finish and not (now is State.RUNNING and wanted.stop_first):
        raise BadInput("--finish is for a job that is held, and this one is not", hint="leave it out, or --stop-first")


def _prepared(paths: Paths, wanted: Wanted) -> tuple[UserCommand, dict[bytes, bytes]]:
    """Return the command and its environment."""
    try:
        kept = user_command.kept(paths)
        data = paths.environment.read_bytes()
    except PermissionError as error:
        raise AccessDenied("the job's command is not for this user to read", hint="log in as the job's user") from error
    except OSError as error:
        raise SetupFailed(f"the job's environment cannot be read ({error.strerror})", hint="restart the job") from error
    if kept is None:
        if not wanted.words:
            raise NotFound("no command of a job was started here", hint="sm-ssh-entry rerun -- COMMAND runs one")
        kept = UserCommand([], str(Path.cwd()), 0o022)
    env = environment.parsed(data)
    if os.isatty(0) and b"TERM" in os.environb:
        env.setdefault(b"TERM", os.environb[b"TERM"])
    if not os.path.isdir(kept.folder):  # noqa: PTH112 # a text, as the kernel gave it
        raise NotFound(f"the job's working folder {kept.folder} is gone", hint="make it again, then try once more")
    return UserCommand(list(wanted.words) or kept.words, kept.folder, kept.umask), env


def _stop_first(paths: Paths) -> None:
    """Have the first process stop the job's command, and wait until it has."""
    if not orders.send(paths, orders.REPLACE):
        raise BadInput(
            "nobody would keep this container once the job's command ends",
            hint="--stop-first is for jobs with SSH_HOLD_ON_FAILURE_SECONDS; --beside runs another one beside it",
        )
    began = time.monotonic()
    said = False
    while status.read(paths).get("job") != State.FAILED.value:
        passed = time.monotonic() - began
        if passed > _STOPPED_WITHIN:
            raise TimedOut(f"the job's command has not ended within {_STOPPED_WITHIN:g} s", hint="sm-ssh-entry dump")
        if passed > _QUIET and not said:
            said = True
            log.say("stopping the job's command; what does not end within 30 s is killed", fd=2)
        time.sleep(_LOOK)


def _run(command: UserCommand, env: Mapping[bytes, bytes]) -> int:
    pipe = SignalPipe(_CAUGHT)
    terminal = os.isatty(0)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 126
        try:
            code = _become(command, env, pipe, terminal=terminal)
        finally:
            os._exit(code)
    try:
        return _follow(child, pipe, terminal=terminal)
    finally:
        pipe.close()


def _become(command: UserCommand, env: Mapping[bytes, bytes], pipe: SignalPipe, *, terminal: bool) -> int:
    # On a terminal it shares our group, so that the shell's job control means both; else it gets one to be ended by.
    if not terminal:
        os.setpgid(0, 0)
    # Whatever ends us must not leave it running unseen, with the next rerun beside it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    pipe.close()
    os.umask(command.umask)
    try:
        os.chdir(command.folder)
    except OSError as error:
        log.say(f"ERROR cannot enter {command.folder} ({error.strerror})", fd=2)
        return 126
    return become.run(command.words, env)


def _follow(child: int, pipe: SignalPipe, *, terminal: bool) -> int:
    """Wait for the command; pass signals on; end it where nobody is there any more to see what it writes."""
    poll = select.poll()
    poll.register(pipe.descriptor, select.POLLIN)
    if not terminal:
        # Nothing is asked for: an end that was closed is told anyway.
        poll.register(1, 0)
    kill_at = 0.0
    while True:
        left = max(0.0, kill_at - time.monotonic()) if kill_at else None
        ready = dict(poll.poll(None if left is None else left * 1000))
        lost = ready.get(1, 0) & (select.POLLHUP | select.POLLERR)
        numbers = [number for number in pipe.read() if number != signal.SIGCHLD]
        if lost:
            poll.unregister(1)
            numbers.append(signal.SIGHUP)
        for number in numbers:
            if not (terminal and number in _OF_TERMINAL):
                _send(child, number, group=not terminal)
            if number in (signal.SIGHUP, signal.SIGTERM):
                kill_at = kill_at or time.monotonic() + _GRACE
        if kill_at and time.monotonic() >= kill_at:
            kill_at = time.monotonic() + _GRACE
            for process in procfs.descendants(os.getpid(), procfs.processes()):
                _send(process.pid, signal.SIGKILL)
        pid, raw = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(raw)
            return 128 - code if code < 0 else code


def _send(pid: int, number: int, *, group: bool = False) -> None:
    with contextlib.suppress(OSError):
        (os.killpg if group else os.kill)(pid, number)


def _tell(paths: Paths, wanted: Wanted, code: int, began: float) -> None:
    """Say what the end of the rerun means for the job; end the job where that is wanted."""
    now = status.read(paths).get("job")
    held = now in (State.WAITING.value, State.FAILED.value)
    if wanted.finish and code == 0:
        _forget_failure(paths, began)
        if orders.send(paths, orders.FINISH):
            log.say("it succeeded: the job ends with 0", fd=2)
            return
        log.say("WARNING it succeeded, but the job is not held any more: its outcome is its own", fd=2)
    elif held:
        rest = "sm-wait stop starts its command" if now == State.WAITING.value else "sm-wait stop ends it as failed"
        log.say(f"it ended with {code}; the job is still held, its time begins anew; {rest}", fd=2)


def _forget_failure(paths: Paths, began: float) -> None:
    """Remove what an earlier run left as the reason of its failure; what this run wrote stays."""
    for file in (paths.failure, paths.failure.with_name("message")):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < began:
                file.unlink()
