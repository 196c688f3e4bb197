"""Waiting in tests: a predicate and a deadline, never a bare sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T | None], timeout: float = 10.0, *, every: float = 0.02, what: str = "") -> T:
    """Return the predicate's first true value; fail the test when the deadline passes without one.

    Args:
        predicate: called until what it returns is true.
        timeout: seconds.
        every: seconds between two calls.
        what: what was waited for, for the message.
    """
    pause = threading.Event()
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or predicate}")
        pause.wait(every)
