"""is_last_session_timeout(): whether the last session ended longer ago than a time. Stdlib of Python 3.8.

Who is connected is known to the services in the container: ``sm-ssh-entry status`` says it. Between two calls, what
counts is the later of what they have seen and what this process has.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sm_ssh_entry import command, contract
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.in_script.telling import say

_SECONDS = 30.0


class _Seen:
    """What this process knows: when somebody was last there (epoch seconds), and what it said last."""

    last = time.time()
    said = ""


def over(time_delta: timedelta, env: Mapping[str, str]) -> bool:
    """Tell whether the last session ended longer ago than a time, and none is open.

    Args:
        time_delta: the time.
        env: the script's environment.
    """
    now = time.time()
    found = _sessions(env)
    if found is None:
        # Not to know must not end a job that somebody works in.
        _once("WARNING sm-ssh-entry status does not answer: taking somebody for connected")
        _Seen.last = now
        return False
    number, last = found
    _Seen.last = now if number else max(_Seen.last, min(last, now))
    left = time_delta.total_seconds() - (now - _Seen.last)
    if number:
        _once("somebody is connected")
    elif left > 0:
        _once(f"nobody is connected: the session timeout is {time_delta}")
    else:
        _once(f"nobody was connected for {time_delta}: session timeout")
    return not number and left <= 0


def _sessions(env: Mapping[str, str]) -> tuple[int, float] | None:
    """Return how many sessions are open, and when the last one was seen; (0, 0.0) where SSH is off; None: unknown."""
    paths = Paths(env.get(contract.ROOT, ""))
    program = paths.entry
    if not program.is_file():
        return 0, 0.0
    try:
        done = command.run([str(program), "status", "--output", "json"], env=env, timeout=_SECONDS)
        told: dict[str, Any] = json.loads(done.stdout)
        if told.get("phase") == "off":
            return 0, 0.0
        return int(told["sessions"]["open"]), float(told["sessions"]["last"])
    except (SmSshError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _once(text: str) -> None:
    """Say what has changed: a loop asks every few seconds."""
    if text != _Seen.said:
        _Seen.said = text
        say(text)
