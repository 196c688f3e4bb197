"""What an interrupted copy leaves behind, so that the same command goes on where it was.

One file of lines for each command in ``~/.ssh/sm-ssh/copies``; the last line about a file counts, and one that was cut
off by a crash counts as none. It is gone when the copy has succeeded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sm_ssh_entry.connect import folder
from sm_ssh_entry.connect.copy.spans import Span, Spans
from sm_ssh_entry.errors import SmSshError

_KEPT_SECONDS = 30 * 86400


@dataclass(frozen=True)
class Entry:
    """What is known of one file.

    Attributes:
        size: of the source.
        changed: the source's time of change: nanoseconds here, seconds on a node.
        whole: whether it has arrived under its own name.
        spans: what has arrived in its partial file.
    """

    size: int
    changed: int
    whole: bool = False
    spans: tuple[Span, ...] = ()


@dataclass
class Journal:
    """The journal of one command, locked while it runs.

    Attributes:
        path: where it is.
        entries: what is known, by the file's destination.
    """

    path: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    _file: IO[str] | None = None

    def note(self, to: str, entry: Entry) -> None:
        """Write down what is known now of a file.

        Args:
            to: its destination.
            entry: what is known.
        """
        self.entries[to] = entry
        if self._file is not None:
            line = json.dumps([to, entry.size, entry.changed, entry.whole, entry.spans])
            with contextlib.suppress(OSError):  # a full disk costs the chance to go on, not the copy
                self._file.write(line + "\n")
                self._file.flush()

    def drop(self, to: str) -> None:
        """Forget a file."""
        if to in self.entries:
            self.note(to, Entry(-1, -1))
            del self.entries[to]

    def finish(self) -> None:
        """The copy has succeeded: nothing is to be remembered."""
        self.entries.clear()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(0)


@contextlib.contextmanager
def opened(words: Sequence[str]) -> Iterator[Journal]:
    """Open the journal of a command and hold it.

    Args:
        words: what tells one copy from another: direction, node, sources, destination.

    Raises:
        SmSshError: the same copy is running already.
    """
    place = folder.private_folder() / "copies"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        _sweep(place)
        path = place / (hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:32] + ".journal")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise SmSshError(f"cannot write to {place}: {error.strerror}", hint="check its owner and mode") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        if not _lock(file):
            raise SmSshError("the same copy is running already", hint="wait for it, or stop it first")
        journal = Journal(path, _read(file), file)
        yield journal
        emptied = not journal.entries
        journal._file = None  # noqa: SLF001 - its own module
    if emptied:
        with contextlib.suppress(OSError):
            path.unlink()


def spans_of(entry: Entry | None, size: int, changed: int) -> Spans | None:
    """Return what has arrived of a file; None where nothing is known of it, or its source is another one now.

    Args:
        entry: what is known.
        size: of the source now.
        changed: time of the source's change now.
    """
    if entry is None or entry.whole or (entry.size, entry.changed) != (size, changed):
        return None
    return Spans(entry.spans)


def _read(file: IO[str]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    file.seek(0)
    for line in file:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            to, size, changed, whole, spans = json.loads(line)
            entries[str(to)] = Entry(
                int(size), int(changed), bool(whole), tuple((int(first), int(last)) for first, last in spans)
            )
    return {to: entry for to, entry in entries.items() if entry.size >= 0}


def _lock(file: IO[str]) -> bool:
    """Lock the file until it is closed, which the system does for a process that dies. False: another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a home on a network that has no locks: better unlocked than no copy
        return True
    return True


def _sweep(place: Path) -> None:
    """Remove journals of copies that nobody has gone on with for a month."""
    for path in place.glob("*.journal"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                path.unlink()
