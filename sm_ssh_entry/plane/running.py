"""A job's nodes while they run, whatever they run in: the first failure or a request stops all, later kills them."""

from __future__ import annotations

import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol, TypeAlias


class Node(Protocol):
    """One running node."""

    @property
    def name(self) -> str:
        """``algo-1`` and so on."""

    def wait(self) -> int:
        """Wait for its end and return its status as a shell gives it."""

    def stop(self) -> None:
        """Ask it to end, as the service does. It may have ended meanwhile."""

    def kill(self) -> None:
        """End it now. It may have ended meanwhile."""


@dataclass(frozen=True)
class End:
    """How a job ended: the first failed node's status, else 0; and whether somebody had asked it to stop.

    Args:
        status: that status.
        stopped: whether somebody had.
        out_of_memory: whether the kernel killed a container's process for its memory.
    """

    status: int
    stopped: bool
    out_of_memory: bool = False


# What happens to a running job, in order: a node that ended with its status, or None for a request to stop.
Events: TypeAlias = "queue.SimpleQueue[tuple[Node, int] | None]"


@contextmanager
def stop_requests(given: Events | None = None) -> Iterator[Events]:
    """Note SIGINT and SIGTERM in a queue instead of dying of them.

    Args:
        given: a queue that somebody else fills: signals are left as they are.
    """
    if given is not None:
        yield given
        return
    happened: Events = queue.SimpleQueue()

    def note(_number: int, _frame: FrameType | None) -> None:
        happened.put(None)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield happened
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def until_end(
    nodes: Sequence[Node],
    happened: Events,
    *,
    stop_seconds: float,
    say: Callable[[str], None],
    together: bool = False,
) -> End:
    """Wait for all nodes; begin the stop at the first failure or request; return the job's end.

    A second request kills at once.

    Args:
        nodes: the nodes, started.
        happened: what ``stop_requests`` gave.
        stop_seconds: how long a stop waits before it kills.
        say: takes one line for the user.
        together: whether the end of one is that of all, as of containers that serve.
    """
    for one in nodes:
        threading.Thread(target=_report, args=(one, happened), name=f"wait {one.name}", daemon=True).start()
    status = 0
    stopped = False
    left = list(nodes)
    kill_at: float | None = None
    while left:
        ended = _next(happened, kill_at)
        if ended is not None:
            left.remove(ended[0])
            status = status or ended[1]
        # Whoever asks when a failure has ended the job already changes no more than how long the others have.
        stopped = stopped or (ended is None and kill_at is None)
        if kill_at is None and left and (status or together or ended is None):
            kill_at = time.monotonic() + stop_seconds
            say(f"stopping {_listed(left)}: SIGTERM, up to {stop_seconds:g} s to end; another Ctrl-C kills at once")
            for one in left:
                one.stop()
        elif ended is None:
            kill_at = math.inf
            for one in left:
                one.kill()
    return End(status, stopped)


def _next(happened: Events, deadline: float | None) -> tuple[Node, int] | None:
    """Return the node that ended; None: somebody asked to stop, or the deadline passed."""
    try:
        if deadline is None:
            return happened.get()
        return happened.get(timeout=min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX))
    except queue.Empty:
        return None


def _report(one: Node, happened: Events) -> None:
    happened.put((one, one.wait()))


def _listed(nodes: Sequence[Node]) -> str:
    return nodes[0].name if len(nodes) == 1 else f"{len(nodes)} nodes"
