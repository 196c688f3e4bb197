"""Who is connected, and which session workers of the agent serve nobody any more."""

from __future__ import annotations

from sm_ssh_entry.boot import procfs, status
from sm_ssh_entry.contract import Paths

# The official agent's process for one session; the kernel keeps 15 characters of a name (protocol page, section 5).
WORKER = "ssm-session-worker"[:15]


def connected(port: int, services: int, proc: str = "/proc") -> int:
    """Count who is connected: SSH connections, session workers, and shells that the agent runs on a terminal.

    An SSH session through the agent counts twice, which does no harm: the question is whether anybody is there.

    Args:
        port: sshd's port; 0 where there is none.
        services: process id of supervisord, under which the agent lives; 0 where it does not run.
        proc: root of proc.
    """
    ssh = 0
    if port:
        established = [link for link in procfs.connections(proc) if link.state == procfs.ESTABLISHED]
        ssh = sum(link.local_port == port for link in established)
    if not services:
        return ssh
    below = procfs.descendants(services, procfs.processes(proc))
    return ssh + sum(process.name == WORKER or process.terminal != 0 for process in below)


def logins(port: int, services: int, proc: str = "/proc") -> list[int]:
    """Return the process ids of sshd's processes that serve one connection each.

    Args:
        port: sshd's port; 0 where there is none.
        services: process id of supervisord, under which sshd lives; 0 where it does not run.
        proc: root of proc.
    """
    if not (port and services):
        return []
    links = procfs.connections(proc)
    held = {link.inode for link in links if link.state == procfs.ESTABLISHED and link.local_port == port}
    if not held:
        return []
    below = procfs.descendants(services, procfs.processes(proc))
    return [process.pid for process in below if (procfs.sockets(process.pid, proc) or set()) & held]


def told(paths: Paths, proc: str = "/proc") -> dict[str, float]:
    """Return how many sessions are open, and when one was last seen to begin or end (epoch seconds), for status.

    sshd writes to its log when it starts, and when a login begins or ends. A session of the agent that is no login
    leaves no time behind: who asks again and again sees it while it is open.

    Args:
        paths: where the container keeps its files.
        proc: root of proc.
    """
    found = status.read(paths)
    count = connected(int(found.get("port") or 0), int(found.get("services") or 0), proc)
    try:
        last = (paths.run / "log" / "sshd.log").stat().st_mtime
    except OSError:
        last = 0.0
    return {"open": count, "last": round(last, 3)}


class Workers:
    """Finds session workers whose client vanished.

    A worker serves somebody exactly as long as it holds a TCP connection to the message gateway; while it redials, it
    has none for seconds. So one that has had no connection at all at every look for some minutes serves nobody. A
    worker that we may not look into is never taken for one.

    Args:
        patience: seconds without any connection.
    """

    def __init__(self, patience: float = 300.0) -> None:
        self._patience = patience
        self._idle_since: dict[tuple[int, float], float] = {}

    def abandoned(self, services: int, now: float, proc: str = "/proc") -> list[int]:
        """Return the process ids of workers to end.

        Args:
            services: process id of supervisord, under which all workers live or end up.
            now: monotonic seconds.
            proc: root of proc.
        """
        table = procfs.processes(proc)
        workers = [process for process in procfs.descendants(services, table) if process.name == WORKER]
        if not workers:
            self._idle_since.clear()
            return []
        alive = {link.inode for link in procfs.connections(proc) if link.state in procfs.ALIVE}
        idle = {}
        for worker in workers:
            held = procfs.sockets(worker.pid, proc)
            if held is not None and not held & alive:
                # The start time tells a process from a later one with its number.
                identity = (worker.pid, worker.started)
                idle[identity] = self._idle_since.get(identity, now)
        self._idle_since = idle
        return [pid for (pid, _), since in idle.items() if now - since >= self._patience]
