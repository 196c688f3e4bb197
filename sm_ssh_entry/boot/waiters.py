"""Processes that wait for ``sm-wait stop``: one FIFO each, so that all of them are released at once and none polls.

A FIFO's name is ``<pid>.<deadline, epoch seconds>``. Whoever opens one for writing without blocking learns from ENXIO
that nobody reads it any more, and removes it. This module is on the path of a 100 ms promise: tiny imports only.
"""

from __future__ import annotations

import errno
import os

STOP = b"stop\n"
READY = b"ready\n"
ALONE = b"sshd-only\n"
FAILED = b"failed\n"


def open_fifo(folder: str, deadline: float) -> tuple[int, str]:
    """Make our FIFO; return its descriptor, to poll and read, and its path, to remove.

    Args:
        folder: the waiters' folder; made if it is missing.
        deadline: epoch seconds at which we stop waiting, for ``sm-wait list``.

    Raises:
        OSError: the folder cannot be written.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 # pathlib costs more than all the rest
    path = _path(folder, deadline)
    return open_at(path), path


def open_at(path: str) -> int:
    """Make a FIFO; return its descriptor, to poll and read.

    Args:
        path: where; what is there is replaced.

    Raises:
        OSError: its folder cannot be written.
    """
    remove(path)
    os.mkfifo(path, 0o600)
    # Opened for both directions: with a writer always there, a finished writer is no end of file, and poll stays calm.
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def postpone(path: str, deadline: float) -> str:
    """Give our FIFO another deadline; return its new path, or the old one where it cannot be renamed.

    Args:
        path: as ``open_fifo`` returned it.
        deadline: as there.
    """
    later = _path(os.path.dirname(path), deadline)  # noqa: PTH120
    try:
        os.rename(path, later)  # noqa: PTH104
    except OSError:
        return path
    return later


def _path(folder: str, deadline: float) -> str:
    return os.path.join(folder, f"{os.getpid()}.{int(deadline)}")  # noqa: PTH118


def remove(path: str) -> None:
    """Remove a FIFO, if it is still there."""
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return


def words(descriptor: int) -> list[bytes]:
    """Return the words that have arrived at our FIFO."""
    try:
        return os.read(descriptor, 4096).splitlines(keepends=True)
    except BlockingIOError:
        return []


def waiting(folder: str) -> list[tuple[int, int]]:
    """List who waits: process id and deadline (epoch seconds). FIFOs whose reader is gone are removed.

    Args:
        folder: the waiters' folder.
    """
    return [(pid, deadline) for pid, deadline, descriptor in _opened(folder) if _close(descriptor)]


def notify(folder: str, word: bytes) -> list[int]:
    """Send a word to everybody who waits; return their process ids.

    Args:
        folder: the waiters' folder.
        word: one of this module's words.
    """
    told = []
    for pid, _, descriptor in _opened(folder):
        try:
            os.write(descriptor, word)
            told.append(pid)
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return told


def _close(descriptor: int) -> bool:
    os.close(descriptor)
    return True


def _opened(folder: str) -> list[tuple[int, int, int]]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []
    found = []
    for name in names:
        pid, _, deadline = name.partition(".")
        if not (pid.isdecimal() and deadline.isdecimal()):
            continue
        path = os.path.join(folder, name)  # noqa: PTH118
        try:
            found.append((int(pid), int(deadline), os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)))
        except OSError as error:
            if error.errno == errno.ENXIO:
                remove(path)
    return found
