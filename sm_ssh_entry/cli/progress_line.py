"""One line on standard error that says how far a longer piece of work is; short work says nothing."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

_AFTER = 2.0
_EVERY_ON_TERMINAL = 0.2
_EVERY_IN_PIPE = 10.0
_ERASE = "\r\x1b[K"


class ProgressLine:
    """Rewritten in place on a terminal, a line now and then elsewhere. Leaving the ``with`` block removes it.

    Args:
        first: what a terminal shows after two seconds in which there was nothing to tell.
    """

    def __init__(self, first: str = "") -> None:
        self._first = threading.Timer(_AFTER, self.show, [first])
        self._first.daemon = True
        self._lock = threading.Lock()
        self._silent = not first
        self._terminal = sys.stderr.isatty()
        self._every = _EVERY_ON_TERMINAL if self._terminal else _EVERY_IN_PIPE
        self._next = time.monotonic() + (_AFTER if self._terminal else _EVERY_IN_PIPE)
        self._shown = False

    def show(self, text: str) -> None:
        """Say it, where it is time.

        Args:
            text: a few words.
        """
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + self._every
            if self._terminal:
                self._shown = True
                print(f"{_ERASE}{text}", end="", file=sys.stderr, flush=True)
            else:
                print(f"sm-ssh: {text}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the line from the terminal; nothing is shown after that."""
        self._first.cancel()
        with self._lock:
            self._next = float("inf")
            if self._shown:
                self._shown = False
                print(_ERASE, end="", file=sys.stderr, flush=True)

    def __enter__(self) -> ProgressLine:
        if self._terminal and not self._silent:
            self._first.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
