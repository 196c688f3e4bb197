"""Ids of the managed nodes behind a name: those that are there, or those that are waited for."""

from __future__ import annotations

import time
from typing import Any

from sm_ssh_entry.errors import ConnectionLost, NotFound, NotRegistered, TimedOut
from sm_ssh_entry.sdk.wrappers import tool
from sm_ssh_entry.sdk.wrappers.account import Account

_ONLINE = "Online"
# A job's further nodes come within seconds of its first; one that failed to register never comes.
_OTHERS_SECONDS = 150.0


def awaited(account: Account, host: str, *, timeout: float, expected: int = 1) -> list[str]:
    """Return the ids of the nodes, waiting until they are Online.

    Args:
        account: whom to ask.
        host: the name.
        timeout: seconds; 0: what is there now.
        expected: how many nodes of a job register themselves; the waiting for all but the first is short.

    Returns:
        Ids of the nodes that are Online, a job's first node first; where none is, of those that were. None where the
        time has passed.

    Raises:
        NotFound: there is no such job.
        NotRegistered: it has ended, and its node never came.
        SmSshError: AWS could not be asked.
    """
    deadline = time.monotonic() + timeout
    entries, problem = _there(account, host), None
    if timeout > 0 and not _online(entries):
        try:
            tool.call(account, "wait", host, "--timeout", f"{timeout:g}")
        except TimedOut:
            return []
        except (ConnectionLost, NotRegistered) as error:
            problem = error
        entries = _there(account, host)
    if problem and not entries:
        raise problem
    if timeout > 0 and _await_others(account, host, entries, expected, deadline):
        entries = _there(account, host)
    return [str(entry["node_id"]) for entry in _online(entries) or entries]


def _there(account: Account, host: str) -> list[dict[str, Any]]:
    try:
        return tool.entries(account, host)
    except (NotFound, NotRegistered):  # of an endpoint: its model may be on its way, and the waiting says why not
        return []


def _online(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["status"] == _ONLINE]


def _await_others(account: Account, host: str, entries: list[dict[str, Any]], expected: int, deadline: float) -> bool:
    """Wait for a job's further nodes once the first is there; tell whether any was waited for."""
    there = {entry["node"] for entry in _online(entries)}
    missing = [label for label in (f"algo-{rank}" for rank in range(1, expected + 1)) if label not in there]
    if not there or expected < 2:
        return False
    deadline = min(deadline, time.monotonic() + _OTHERS_SECONDS)
    for label in missing:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            tool.call(account, "wait", f"{label}.{host}", "--timeout", f"{left:g}")
        except (TimedOut, ConnectionLost, NotRegistered, NotFound):
            break
    return bool(missing)
