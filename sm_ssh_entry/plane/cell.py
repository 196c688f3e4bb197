"""A container's life for plain processes: run one command, and when it ends, end all that it left behind.

In a container the kernel kills every process once PID 1 is gone, however it was detached. Here a process of ours stands
between ``sm-ssh local run`` and one node: on Linux it adopts every orphan below it (PR_SET_CHILD_SUBREAPER), passes
signals on to the command alone, as ``docker stop`` does, kills whatever is left when the command ends, and returns the
command's status. It runs as a program (``python -m sm_ssh_entry.plane.cell CMD...``) and imports the standard library
and our leaves only, because it stands in front of every job.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from sm_ssh_entry import command
from sm_ssh_entry.errors import SmSshError

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# What our own parent sends to have everything killed now: no job is stopped with it, so it needs no forwarding.
KILL = signal.SIGABRT
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _parents() -> dict[int, int]:
    """Return the parent of every process, zombies left out; empty where there is no /proc."""
    found: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold spaces and parentheses too: read what stands after the last one.
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state != "Z":
            found[int(entry.parent.name)] = int(parent)
    return found


def descendants(pid: int) -> set[int]:
    """Return the process ids below a process, at any depth.

    Args:
        pid: the process at the top, itself left out.
    """
    parents = _parents()
    found: set[int] = set()
    level = {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level} - found
        found |= level
    return found


def end_all(pid: int) -> None:
    """Kill what runs below a process until nothing does, and reap what was adopted.

    A process may fork while it is being killed, so one pass is not enough; as each pass kills with SIGKILL and orphans
    come to us, the passes end.
    """
    while left := descendants(pid):
        _kill(left)
        _reap(block=True)
    _reap(block=False)


def _kill(pids: set[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _reap(*, block: bool) -> None:
    try:
        reaped, _ = os.waitpid(-1, 0 if block else os.WNOHANG)
        while reaped:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return


def run(argv: Sequence[str]) -> int:
    """Run a command as if it were PID 1 of a container, and return the status that a shell would give it.

    Args:
        argv: program and arguments.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # If ``sm-ssh local run`` is killed, the node must not stay: ask for the signal that stops it.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    waiting: list[int] = []
    child: command.Popen[bytes] | None = None

    def forward(number: int, _frame: FrameType | None) -> None:
        if child is None:
            waiting.append(number)
        elif number == KILL:
            _kill(descendants(os.getpid()))
        elif child.returncode is None:
            os.kill(child.pid, number)

    for number in (*_FORWARDED, KILL):
        signal.signal(number, forward)
    try:
        child = command.spawn(argv, stdin=None, new_session=True)
    except SmSshError as error:
        print(f"sm-ssh: {error.message}", file=sys.stderr)
        return 127
    for early in waiting:
        forward(early, None)
    status = _wait(child)
    end_all(os.getpid())
    return command.shell_status(status)


def _wait(child: command.Popen[bytes]) -> int:
    """Reap orphans until the command itself ends, and return its status as Popen would."""
    while True:
        reaped, status = os.waitpid(-1, 0)
        if reaped == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
