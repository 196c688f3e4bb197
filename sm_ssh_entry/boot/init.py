"""Stays as the container's first process while the user's command runs, and ends with exactly its status.

Part of job, where a hold on failure, an idle timeout or a deregistration needs somebody to outlive the command. The
outcome of a stop must be that of the same image without us. There the command would be process 1, which the kernel
spares every signal that it has no handler for: ``train`` ignores SIGTERM, ``serve`` handles it. So as process 1 we pass
on what the command handles (or holds back, to wait for it), and drop the rest as the kernel would. Measured facts:
SageMaker contract page, 1.3.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from sm_ssh_entry.boot import become, environment, log, procfs, sessions, status, waiters
from sm_ssh_entry.boot.settings import Settings
from sm_ssh_entry.boot.signals import STOPPING, SignalPipe
from sm_ssh_entry.contract import Paths

# Endpoints are killed 30 s after SIGTERM, jobs 120 s. Deregistering takes a second; this leaves it ten.
_DEREGISTER_WITHIN = 20.0
_DEREGISTER_TIMEOUT = 15.0
_IDLE_GRACE = 30.0
# Logins that are about to end, as the one that ran sm-wait stop, may do so by themselves; then we close the others, and
# the agent has a moment to tell their far ends.
_LOGINS_END_ALONE = 0.5
_LOGINS_END_WITHIN = 2.0
_AGENT_TELLS = 0.3
_IDLE_LOOK = 5.0


def deliverable(pid: int, number: int, *, first: bool, proc: str = "/proc") -> bool:
    """Tell whether the kernel would deliver a signal to a process if it were process 1.

    Args:
        pid: the process.
        number: the signal.
        first: whether it would be process 1; if not, everything is delivered.
        proc: root of proc.
    """
    bit = 1 << (number - 1)
    return not first or bool((procfs.mask(pid, "SigCgt", proc) | procfs.mask(pid, "SigBlk", proc)) & bit)


class Init:
    """One user's command and everything that outlives it.

    Args:
        child: its process id, which is its process group too.
        given: the job's environment.
        asked: the user's settings.
        paths: where the container keeps its files.
        pipe: all signals.
    """

    def __init__(
        self, child: int, given: Mapping[bytes, bytes], asked: Settings, paths: Paths, pipe: SignalPipe
    ) -> None:
        self._child = child
        self._given = given
        self._asked = asked
        self._paths = paths
        self._pipe = pipe
        self._poll = select.poll()
        self._poll.register(pipe.descriptor, select.POLLIN)
        self._first = os.getpid() == 1
        self._status: int | None = None
        self._stopping = False
        self._deregister_at: float | None = None
        self._deregistering = 0
        self._deregistered = not asked.deregister_on_exit
        self._used = time.monotonic()
        self._kill_at: float | None = None

    def run(self) -> int:
        """Serve until the command has ended and nothing holds the container; return the exit status."""
        while self._status is None:
            self._wait(self._timeout())
            self._due(time.monotonic())
        if self._status != 0 and self._asked.hold_on_failure and not self._stopping:
            self._hold(self._status)
        if self._first:
            self._close_logins()
        self._finish_deregistration()
        return self._status

    def _timeout(self) -> float:
        now = time.monotonic()
        due = [moment - now for moment in (self._deregister_at, self._kill_at) if moment is not None]
        if self._asked.idle_timeout and self._kill_at is None:
            due.append(min(_IDLE_LOOK, self._asked.idle_timeout / 4))
        return max(0.0, min(due, default=60.0))

    def _wait(self, seconds: float) -> None:
        self._poll.poll(seconds * 1000)
        for number in self._pipe.read():
            if number == signal.SIGCHLD:
                continue
            self._signalled(number)
        self._reap()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, raw = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    code = os.waitstatus_to_exitcode(raw)
                    self._status = 128 - code if code < 0 else code
                if pid == self._deregistering:
                    self._deregistering = 0

    def _signalled(self, number: int) -> None:
        if self._status is not None:
            self._stopping = self._stopping or number in STOPPING
            return
        passed = deliverable(self._child, number, first=self._first)
        if passed:
            with contextlib.suppress(OSError):
                os.kill(self._child, number)
        if number in STOPPING:
            self._stopping = True
            if not self._deregistered and self._deregister_at is None:
                # A command that does not hear the stop runs on until it is killed: no other time comes.
                self._deregister_at = time.monotonic() + (_DEREGISTER_WITHIN if passed else 0.0)

    def _due(self, now: float) -> None:
        if self._deregister_at is not None and now >= self._deregister_at:
            self._deregister_at = None
            self._start_deregistration()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._kill_group(signal.SIGKILL)
        if self._asked.idle_timeout and self._status is None and not self._stopping:
            self._look_for_people(now)

    def _look_for_people(self, now: float) -> None:
        found = status.read(self._paths)
        if sessions.connected(int(found.get("port") or 0), int(found.get("services") or 0)):
            self._used = now
        elif now - self._used >= self._asked.idle_timeout:
            log.say(f"nobody has been connected for {self._asked.idle_timeout:g} s: ending the command")
            self._stopping = True
            self._kill_at = now + _IDLE_GRACE
            self._kill_group(signal.SIGTERM)

    def _kill_group(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._child, number)

    def _hold(self, code: int) -> None:
        seconds = self._asked.hold_on_failure
        log.say(f"the command failed with {code}; the container stays for {seconds:g} s, sm-wait stop ends it")
        status.update(self._paths, job="failed", exit=code)
        end = time.monotonic() + seconds
        try:
            fifo, path = waiters.open_fifo(str(self._paths.waiters), time.time() + seconds)
        except OSError:
            fifo, path = -1, ""
        if fifo >= 0:
            self._poll.register(fifo, select.POLLIN)
        while (left := end - time.monotonic()) > 0 and not self._stopping:
            self._wait(left)
            if fifo >= 0 and waiters.STOP in waiters.words(fifo):
                break
        if fifo >= 0:
            waiters.remove(path)
            os.close(fifo)

    def _close_logins(self) -> None:
        """Close what is open, before our end as process 1 is the abrupt end of all processes.

        Nobody would tell the far ends, and their terminals would hang until keep-alives fail, two minutes later.
        """
        found = status.read(self._paths)
        port, services = int(found.get("port") or 0), int(found.get("services") or 0)
        began = time.monotonic()
        seen = False
        while (passed := time.monotonic() - began) < _LOGINS_END_WITHIN:
            open_ = sessions.logins(port, services)
            if not open_:
                break
            seen = True
            for pid in open_ if passed >= _LOGINS_END_ALONE else ():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGTERM)
            self._wait(0.05)
        end = time.monotonic() + _AGENT_TELLS
        while seen and (left := end - time.monotonic()) > 0:
            self._wait(left)

    def _start_deregistration(self) -> None:
        """Run it as a child: the AWS client is large, and may hang where the network is gone already."""
        self._deregistered = True
        words = [sys.executable, "-I", "-m", "sm_ssh_entry.boot.deregister"]
        # Its line goes to our log; nothing of it belongs to the user's output.
        self._deregistering = os.posix_spawn(
            sys.executable, words, environment.ours(self._given), file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)]
        )

    def _finish_deregistration(self) -> None:
        if not self._deregistered:
            self._start_deregistration()
        end = time.monotonic() + _DEREGISTER_TIMEOUT
        while self._deregistering and (left := end - time.monotonic()) > 0:
            self._wait(left)
        if self._deregistering:
            with contextlib.suppress(OSError):
                os.kill(self._deregistering, signal.SIGKILL)


def run(command: Sequence[str], given: Mapping[bytes, bytes], asked: Settings, paths: Paths, pipe: SignalPipe) -> int:
    """Run the user's command as a child; return its status, 128 + signal where one killed it.

    Args:
        command: the user's command.
        given: its environment.
        asked: the user's settings.
        paths: where the container keeps its files.
        pipe: all signals.
    """
    terminal = os.isatty(0)
    child = os.fork()
    if child == 0:
        _become(command, given, pipe, terminal=terminal)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    return Init(child, given, asked, paths, pipe).run()


def _become(command: Sequence[str], given: Mapping[bytes, bytes], pipe: SignalPipe, *, terminal: bool) -> None:
    code = 126
    try:
        # A group of its own: what the terminal sends goes to it alone, and an idle container's command ends whole.
        os.setpgid(0, 0)
        if terminal:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            with contextlib.suppress(OSError):
                os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        pipe.close()
        code = become.run(command, given)
    finally:
        os._exit(code)
