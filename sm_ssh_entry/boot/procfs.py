"""What the kernel tells about processes and their connections, read from /proc. Nothing here changes anything.

Every function takes the root of proc as its last argument, for tests.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

# Connection states of the kernel's tcp tables, where a peer may still be there (include/net/tcp_states.h).
ESTABLISHED = 0x01
_OPENING = {0x02, 0x03}
_CLOSE_WAIT = 0x08
ALIVE = {ESTABLISHED, _CLOSE_WAIT, *_OPENING}


class Process(NamedTuple):
    """One line of the process table. ``started`` is seconds since the machine's start."""

    pid: int
    parent: int
    name: str
    terminal: int
    started: float


class Connection(NamedTuple):
    """One TCP connection: local and remote port, state, and the inode by which a process holds it."""

    local_port: int
    remote_port: int
    state: int
    inode: int


def processes(proc: str = "/proc") -> dict[int, Process]:
    """Return all processes that we can see, by id."""
    tick = float(os.sysconf("SC_CLK_TCK"))
    found = {}
    for entry in os.listdir(proc):  # noqa: PTH208 # names only
        if not entry.isdecimal():
            continue
        try:
            line = Path(proc, entry, "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # The name stands in parentheses and may hold any character, parentheses too.
        head, _, tail = line.rpartition(")")
        fields = tail.split()
        if len(fields) < 20:
            continue
        name = head.partition("(")[2]
        found[int(entry)] = Process(int(entry), int(fields[1]), name, int(fields[4]), int(fields[19]) / tick)
    return found


def descendants(root: int, table: dict[int, Process]) -> list[Process]:
    """Return the children of a process, theirs, and so on.

    Args:
        root: process id.
        table: what ``processes`` returned.
    """
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += [process.pid for process in below]
    return found


def connections(proc: str = "/proc") -> list[Connection]:
    """Return the TCP connections of our network namespace."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(proc, "net", table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            ports = [int(fields[column].rpartition(":")[2], 16) for column in (1, 2)]
            found.append(Connection(ports[0], ports[1], int(fields[3], 16), int(fields[9])))
    return found


def sockets(pid: int, proc: str = "/proc") -> set[int] | None:
    """Return the inodes of a process's sockets; None where we may not look.

    Args:
        pid: process id.
        proc: root of proc.
    """
    folder = Path(proc, str(pid), "fd")
    found = set()
    try:
        names = os.listdir(folder)  # noqa: PTH208 # names only
    except OSError:
        return None
    for name in names:
        try:
            target = os.readlink(folder / name)  # noqa: PTH115 # a link of proc names no path
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(int(target[8:-1]))
    return found


def mask(pid: int | str, field: str, proc: str = "/proc") -> int:
    """Return one of a process's masks, of signals or capabilities; 0 where it is gone.

    Args:
        pid: process id, or ``self``.
        field: ``SigCgt`` (has a handler), ``SigIgn``, ``SigBlk``; ``CapEff``.
        proc: root of proc.
    """
    try:
        text = Path(proc, str(pid), "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in text.splitlines() if line.startswith(f"{field}:")), 0)


def uptime(proc: str = "/proc") -> float:
    """Return seconds since the machine's start."""
    return float(Path(proc, "uptime").read_text(encoding="ascii").split()[0])
