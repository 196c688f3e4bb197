"""Ids of the managed nodes behind a name: those that are there, or those that are waited for."""

from __future__ import annotations

import time

from sm_ssh_entry.errors import ConnectionLost, NotFound, NotRegistered, SmSshError, TimedOut
from sm_ssh_entry.sdk.wrappers import tool
from sm_ssh_entry.sdk.wrappers.account import Account

_ONLINE = "Online"
# A job's further nodes come within seconds of its first; one that failed to register never comes.
_OTHERS_SECONDS = 150.0


def found(account: Account, host: str) -> list[str]:
    """Return the ids of the nodes that are there: those that are Online, a job's first node first; else the lost ones.

    Args:
        account: whom to ask.
        host: the name.

    Raises:
        SmSshError: they could not be asked for.
    """
    entries = tool.entries(account, host)
    online = [str(entry["node_id"]) for entry in entries if entry["status"] == _ONLINE]
    return online or [str(entry["node_id"]) for entry in entries]


def awaited(account: Account, host: str, *, timeout: float, expected: int = 1) -> list[str]:
    """Return the ids of the nodes, waiting until they are Online.

    Args:
        account: whom to ask.
        host: the name.
        timeout: seconds; 0: what is there now.
        expected: how many nodes of a job register themselves; the waiting for all but the first is short.

    Returns:
        Ids, a job's first node first; none where the time has passed.

    Raises:
        NotFound: there is no such job.
        NotRegistered: it has ended, and its node never came.
        SmSshError: AWS could not be asked.
    """
    deadline = time.monotonic() + timeout
    if timeout <= 0:
        try:
            return found(account, host)
        except (NotFound, NotRegistered):
            return []
    problem: SmSshError | None = None
    try:
        tool.call(account, "wait", host, "--timeout", f"{timeout:g}")
    except TimedOut:
        return []
    except (ConnectionLost, NotRegistered) as error:
        problem = error
    if problem is None:
        _await_others(account, host, expected, min(deadline, time.monotonic() + _OTHERS_SECONDS))
    ids = found(account, host)
    if problem and not ids:
        raise problem
    return ids


def _await_others(account: Account, host: str, expected: int, deadline: float) -> None:
    if expected < 2:
        return
    there = {entry["node"] for entry in tool.entries(account, host) if entry["status"] == _ONLINE}
    for label in (f"algo-{rank}" for rank in range(1, expected + 1)):
        left = deadline - time.monotonic()
        if label in there or left <= 0:
            continue
        try:
            tool.call(account, "wait", f"{label}.{host}", "--timeout", f"{left:g}")
        except (TimedOut, ConnectionLost, NotRegistered, NotFound):
            return
