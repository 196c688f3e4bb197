"""Which processes are the job's: not our services, not what people run in their logins, not our own programs.

What ``sm-ssh-entry rerun`` has started is the job's too, though it runs in a login.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from sm_ssh_entry.boot import procfs, status
from sm_ssh_entry.contract import Paths

_INTERPRETER = re.compile(r"python[0-9.]*(t|d|td)?|pypy[0-9.]*")
# Options of Python whose value is the next word (python --help).
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
# Options that a value may be attached to, and long ones; the others may stand together, and c or m ends them.
_ATTACHED = ("-W", "-X", "--")
_OURS = ["-I", "-m"]
_ROOM = "sm_ssh_entry."
_RERUN = ["sm_ssh_entry.cli.entry", "rerun"]


class Job(NamedTuple):
    """One process of the job.

    Args:
        pid: its id.
        parent: its parent's.
        program: what it runs, without arguments, which may hold secrets: ``python train.py``.
        python: whether it is a Python process.
    """

    pid: int
    parent: int
    program: str
    python: bool


def arguments(pid: int, proc: str = "/proc") -> list[str]:
    """Return a process's command line; empty where it has ended, or is the kernel's.

    Args:
        pid: process id.
        proc: root of proc.
    """
    try:
        line = Path(proc, str(pid), "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in line.removesuffix(b"\0").split(b"\0")] if line else []


def is_ours(words: list[str]) -> bool:
    """Tell whether a command line is that of a program of ours, which run isolated, by module.

    Args:
        words: what ``arguments`` returned.
    """
    return words[1:3] == _OURS and len(words) > 3 and words[3].startswith(_ROOM)


def program(words: list[str]) -> str:
    """Return what a command line runs, without its arguments: program, and script or module of an interpreter.

    Args:
        words: what ``arguments`` returned.
    """
    if not words:
        return ""
    name = words[0].rpartition("/")[2]
    if not _INTERPRETER.fullmatch(name):
        return name
    rest = iter(words[1:])
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, "")
        elif word == "-" or not word.startswith("-"):
            return f"{name} {word}"
        elif word.startswith(_ATTACHED):
            continue
        elif word.endswith("m"):
            return f"{name} -m {next(rest, '')}"
        elif "c" in word:
            return f"{name} -c"
    return name


def is_python(pid: int, proc: str = "/proc") -> bool:
    """Tell whether a process is an interpreter of Python, or has one inside.

    Args:
        pid: process id.
        proc: root of proc.
    """
    folder = Path(proc, str(pid))
    try:
        if _INTERPRETER.fullmatch(os.readlink(folder / "exe").rpartition("/")[2]):  # noqa: PTH115 # it may be deleted
            return True
        return b"/libpython" in (folder / "maps").read_bytes()
    except OSError:
        # Another user's: its command line is all that we may see.
        words = arguments(pid, proc)
        return bool(words) and bool(_INTERPRETER.fullmatch(words[0].rpartition("/")[2]))


def find(paths: Paths, proc: str = "/proc") -> list[Job]:
    """Return the job's processes, its first one first, then by age.

    Args:
        paths: where the container keeps its files.
        proc: root of proc.
    """
    table = procfs.processes(proc)
    known = status.read(paths)
    lines = {pid: arguments(pid, proc) for pid in table}
    services, main = int(known.get("services") or 0), int(known.get("main") or 0)
    # A container has the job and us; on a host that others share, the job is what its first process has started.
    wanted = set(table)
    if paths.root:
        wanted = {main, *(one.pid for one in procfs.descendants(main, table))} if main in table else set()
    wanted -= {services, *(one.pid for one in procfs.descendants(services, table))} if services else set()
    for pid, words in lines.items():
        if is_ours(words) and words[3:5] == _RERUN and (not paths.root or _below(pid, services, table)):
            wanted |= {one.pid for one in procfs.descendants(pid, table)}
    # Zombies and the kernel's own have no command line.
    found = [table[pid] for pid in wanted if pid in table and lines[pid] and not is_ours(lines[pid])]
    found.sort(key=lambda one: (one.pid != main, one.started, one.pid))
    return [Job(one.pid, one.parent, program(lines[one.pid]), is_python(one.pid, proc)) for one in found]


def _below(pid: int, root: int, table: dict[int, procfs.Process]) -> bool:
    return any(one.pid == pid for one in procfs.descendants(root, table))
