"""How a download shows: moving bars on a terminal, a line now and then in a pipe. Always on standard error."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_ssh_entry.images.download import FETCHED

if TYPE_CHECKING:
    from rich.progress import TaskID

    from sm_ssh_entry.images.download import Progress

_LINE_SECONDS = 5.0


@contextmanager
def shown() -> Iterator[Progress]:
    """Return who is told how far things are, and end its picture."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    bars = Bars()
    with bars.picture:
        yield bars


class Lines:
    """Plain lines: each file as it ends, and one on the way for what takes long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def begin(self, name: str, total: int) -> None:  # noqa: ARG002 - Progress
        """Remember the time."""
        with self._lock:
            self._said[name] = time.monotonic()

    def at(self, name: str, done: int, total: int) -> None:
        """Say how far it is, not more often than every few seconds."""
        now = time.monotonic()
        with self._lock:
            if now - self._said.get(name, now) < _LINE_SECONDS:
                return
            self._said[name] = now
        self.say(f"{name}: {megabytes(done)}" + (f" of {megabytes(total)}" if total >= 0 else ""))

    def end(self, name: str, how: str) -> None:
        """Say what became of it; what was there already is no news."""
        if how == FETCHED:
            self.say(f"{name}: {how}")

    def say(self, line: str) -> None:
        """Print it."""
        print(line, file=sys.stderr, flush=True)


class Bars:
    """One bar for each file under way."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Picture

        self.picture = Picture(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def begin(self, name: str, total: int) -> None:
        """Show a bar."""
        length = total if total >= 0 else None
        if name in self._tasks:
            self.picture.update(self._tasks[name], total=length)
        else:
            self._tasks[name] = self.picture.add_task(name.rpartition("/")[2][:40], total=length)

    def at(self, name: str, done: int, total: int) -> None:  # noqa: ARG002 - Progress
        """Move it."""
        self.picture.update(self._tasks[name], completed=done)

    def end(self, name: str, how: str) -> None:
        """Take it away."""
        if name in self._tasks:
            self.picture.remove_task(self._tasks.pop(name))
        if how == FETCHED:
            self.picture.console.print(f"{name}: {how}", style="dim", highlight=False, markup=False)

    def say(self, line: str) -> None:
        """Print it above the bars."""
        style = "bold yellow" if line.startswith("WARNING") else ""
        self.picture.console.print(line, style=style, highlight=False, markup=False)


def megabytes(size: int) -> str:
    """Return a size as people read it; a megabyte is a million bytes."""
    return f"{size / 1e6:.1f} MB"
