"""Waiting in tests: a predicate and a deadline, never a bare sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# A deadline is there to find what hangs, not what is slow: a machine that does much else at once gets this many times
# as long. How fast we are is measured elsewhere.
_BUSY = 6.0


def wait_until(predicate: Callable[[], T | None], timeout: float = 10.0, *, every: float = 0.02, what: str = "") -> T:
    """Return the predicate's first true value; fail the test when the deadline passes without one.

    Args:
        predicate: called until what it returns is true.
        timeout: seconds that are plenty on an idle machine.
        every: seconds between two calls.
        what: what was waited for, for the message.
    """
    pause = threading.Event()
    deadline = time.monotonic() + timeout * _BUSY
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout * _BUSY:g} s: {what or predicate}")
        pause.wait(every)
