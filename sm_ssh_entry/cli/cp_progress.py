"""How a copy shows: a moving bar on a terminal, a line now and then in a pipe. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sm_ssh_entry.connect.copy.tally import Tally

_QUIET_SECONDS = 2.0
_LINE_SECONDS = 5.0


class Picture(Protocol):
    """Who is told how far a copy is."""

    def say(self, line: str) -> None:
        """Print a line."""

    def show(self, tally: Tally) -> None:
        """Show how far it is."""


@contextmanager
def shown() -> Iterator[Picture]:
    """Return who is told, and end its picture."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    bar = Bar()
    try:
        yield bar
    finally:
        bar.end()


class Lines:
    """Plain lines, and one on the way every few seconds for what takes long."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = self._began + _QUIET_SECONDS - _LINE_SECONDS
        self._last = 0

    def show(self, tally: Tally) -> None:
        """Say how far it is, if it is time to."""
        from sm_ssh_entry.connect.copy.shown import size

        now, there = time.monotonic(), tally.resumed + tally.moved
        if now - self._said < _LINE_SECONDS or there == self._last:
            return
        self._said, self._last = now, there
        rate = tally.moved / max(now - self._began, 1e-3)
        left = f", {(tally.bytes - there) / rate:.0f} s left" if rate else ""
        self.say(f"{size(there)} of {size(tally.bytes)}, {size(rate)}/s{left}")

    def say(self, line: str) -> None:
        """Print it."""
        print(f"sm-ssh: {line}", file=sys.stderr, flush=True)


class Bar:
    """A bar: bytes, rate, time left, sessions."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True)
        self._picture = Progress(
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._picture.add_task("", total=None, rate="", note="")
        self._began = 0.0

    def show(self, tally: Tally) -> None:
        """Move it."""
        from sm_ssh_entry.connect.copy.shown import size

        if not self._began:
            self._began = time.monotonic()
            self._picture.start()
        rate = tally.moved / max(time.monotonic() - self._began, 1e-3)
        note = f"{tally.done} of {tally.files} files, {tally.sessions} session{'s' if tally.sessions != 1 else ''}"
        self._picture.update(
            self._task,
            total=tally.bytes,
            completed=tally.resumed + tally.moved,
            rate=f"{size(rate)}/s",
            note=note,
        )

    def say(self, line: str) -> None:
        """Print it above the bar."""
        self._console.print(f"sm-ssh: {line}", highlight=False, markup=False, soft_wrap=True)

    def end(self) -> None:
        """Take the bar away."""
        self._picture.stop()
