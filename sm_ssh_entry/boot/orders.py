"""What a rerun tells the container's first process, while that holds a job: one FIFO, beside those of who waits."""

from __future__ import annotations

import os

from sm_ssh_entry.boot import waiters
from sm_ssh_entry.contract import Paths

# A rerun has begun, and has ended: the time of a hold begins anew.
BEGIN = b"rerun-begins\n"
END = b"rerun-ended\n"
# Stop the job's command and hold the container as after a failure; end the job, with success.
REPLACE = b"replace\n"
FINISH = b"finish\n"
# Held by a rerun for as long as it runs.
LOCK = "rerun.lock"


def path(paths: Paths) -> str:
    """Return the FIFO's path."""
    return str(paths.run / "orders")


def listen(paths: Paths) -> int:
    """Make the FIFO; return its descriptor, or -1 where that is not possible: then there are no orders."""
    try:
        return waiters.open_at(path(paths))
    except OSError:
        return -1


def deaf(paths: Paths, descriptor: int) -> None:
    """Take no orders any more.

    Args:
        paths: where the container keeps its files.
        descriptor: what ``listen`` returned.
    """
    if descriptor >= 0:
        waiters.remove(path(paths))
        os.close(descriptor)


def send(paths: Paths, word: bytes) -> bool:
    """Send a word; return whether somebody takes orders.

    Args:
        paths: where the container keeps its files.
        word: one of this module's words.
    """
    try:
        descriptor = os.open(path(paths), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(descriptor, word) == len(word)
    except OSError:
        return False
    finally:
        os.close(descriptor)
