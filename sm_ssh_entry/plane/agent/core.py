"""The process that supervises: it forks the worker, replaces it at once when it dies, and cleans up behind it.

Two processes, as the official agent has core and worker. The official one has a third for each session; here sessions
are tasks of the worker. What that process buys there, a session that outlives its agent, is worth less than what it
costs here: an interpreter's start in front of every login, its memory for as long as the login lasts, and one more
thing that can be left behind. What is left of a session is its own child (shell, command), in a process group that the
core knows of.

The worker is forked without exec: everything is imported already, so its replacement is up in milliseconds. For the
same reason the core has no thread and no event loop; it waits on descriptors only.

Between the two lies one socket pair, the lifeline. The worker reports its children's process groups on it, ``+PGID``
and ``-PGID``; if it is killed, the core kills those groups. If the core is killed, the worker reads the end of the
stream and goes.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import chain, repeat

from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane.agent import backoff

log = logging.getLogger(__name__)

# A worker that lived so long was not a failed start.
STEADY_SECONDS = 5.0
STOP_SECONDS = 2.0
MAX_DELAY = 5.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


class Core:
    """Supervises one worker at a time.

    Args:
        work: body of the worker. It gets its end of the lifeline and returns the worker's exit status.
    """

    def __init__(self, work: Callable[[socket.socket], int]) -> None:
        self._work = work
        self._groups: set[int] = set()
        self._unread = b""
        self._worker = 0
        self._started = 0.0
        self._delays = _delays()
        self._start_at = 0.0
        self._stop_at: float | None = None
        self._killed = False
        self._lifeline: socket.socket | None = None
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Supervise until a signal says stop; return the exit status."""
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        inbox, wakeup = socket.socketpair()
        for end in (inbox, wakeup):
            end.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno())
        for number in (*_STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(inbox, selectors.EVENT_READ)
        try:
            while True:
                if not self._worker and self._stop_at is not None:
                    log.info("stopped")
                    return 0
                if not self._worker and time.monotonic() >= self._start_at:
                    self._start((inbox, wakeup))
                self._selector.select(self._patience())
                with contextlib.suppress(BlockingIOError):
                    if any(number in _STOP_SIGNALS for number in inbox.recv(4096)):
                        self._stop()
                self._read_lifeline()
                self._enforce_stop()
                self._reap()
        finally:
            self._selector.close()
            signal.set_wakeup_fd(-1)
            inbox.close()
            wakeup.close()

    def _patience(self) -> float | None:
        """Seconds until something is due without a signal; None: nothing is."""
        due = self._stop_at if self._worker else self._start_at
        if due is None or self._killed:
            return None
        return max(0.0, due - time.monotonic())

    def _start(self, ours: tuple[socket.socket, socket.socket]) -> None:
        mine, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        worker = os.fork()
        if not worker:
            _become_worker(self._work, theirs, (*ours, mine))
        theirs.close()
        mine.setblocking(False)
        self._lifeline = mine
        self._selector.register(mine, selectors.EVENT_READ)
        self._worker, self._started = worker, time.monotonic()
        log.info("worker %d started", worker)

    def _stop(self) -> None:
        if self._stop_at is None:
            self._stop_at = time.monotonic() + STOP_SECONDS
            if self._worker:
                os.kill(self._worker, signal.SIGTERM)

    def _enforce_stop(self) -> None:
        if self._worker and self._stop_at is not None and not self._killed and time.monotonic() >= self._stop_at:
            log.warning("worker %d did not stop within %g s: killed", self._worker, STOP_SECONDS)
            self._killed = True
            os.kill(self._worker, signal.SIGKILL)

    def _reap(self) -> None:
        """Collect every dead child: the worker, and orphans of sessions, whose subreaper we are."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._worker:
                self._bury(os.waitstatus_to_exitcode(status))

    def _bury(self, status: int) -> None:
        self._read_lifeline()
        self._hang_up()
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        lived = time.monotonic() - self._started
        if lived >= STEADY_SECONDS:
            self._delays = _delays()
        self._start_at = time.monotonic() + next(self._delays)
        if self._stop_at is None:
            log.warning("worker %d ended with %d after %.1f s; starting another", self._worker, status, lived)
        self._groups.clear()
        self._unread = b""
        self._worker = 0

    def _hang_up(self) -> None:
        if self._lifeline is not None:
            self._selector.unregister(self._lifeline)
            self._lifeline.close()
            self._lifeline = None

    def _read_lifeline(self) -> None:
        while self._lifeline is not None:
            try:
                received = self._lifeline.recv(65536)
            except (BlockingIOError, ConnectionResetError):
                return
            if not received:
                # The stream ends a moment before the worker does. Its SIGCHLD is what we wait for.
                self._hang_up()
                return
            *lines, self._unread = (self._unread + received).split(b"\n")
            for line in lines:
                change = self._groups.add if line.startswith(b"+") else self._groups.discard
                change(int(line[1:]))


def _delays() -> Iterator[float]:
    """At once, at once, then 0.1 s doubling to 5 s."""
    return chain(repeat(0.0, 2), backoff.delays(0.1, MAX_DELAY))


def _become_worker(
    work: Callable[[socket.socket], int], lifeline: socket.socket, not_ours: tuple[socket.socket, ...]
) -> None:
    """Be the worker, in the forked child; never returns into the core's stack."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (*_STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for end in not_ours:
            end.close()
        _prctl(_PR_SET_NAME, b"standin-worker")
        status = work(lifeline)
    except SmSshError as error:
        log.error("the worker cannot start: %s", error.message)  # noqa: TRY400 - expected, so no traceback
    except BaseException:  # noqa: BLE001 - a forked child must not run its parent's handlers
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _prctl(option: int, argument: int | bytes) -> None:
    """Call prctl(2), where there is one. Both uses are comforts: a name in ps, and orphans that come to us."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
