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
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.boot import become, closing, environment, log, orders, procfs, sessions, status, supervise, waiters
from sm_ssh_entry.boot.settings import Settings
from sm_ssh_entry.boot.signals import STOPPING, SignalPipe
from sm_ssh_entry.contract import Paths

# Endpoints are killed 30 s after SIGTERM, jobs 120 s. Deregistering takes a second; this leaves it ten.
_DEREGISTER_WITHIN = 20.0
_DEREGISTER_TIMEOUT = 15.0
_IDLE_GRACE = 30.0
_STOP_GRACE = 30.0
# A job with this command is there for its logins alone: that nobody wants one any more is its success.
_PLACEHOLDER = "sm-wait"
_IDLE_LOOK = 5.0
# While nobody could come in yet, nobody is missed; but not for ever, should the set-up have died without a word.
_SETTING_UP = (status.STARTING, status.REGISTERING)
_SETTLED_WITHIN = 600.0


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
        word: first word of the command.
    """

    def __init__(
        self,
        child: int,
        given: Mapping[bytes, bytes],
        asked: Settings,
        paths: Paths,
        pipe: SignalPipe,
        *,
        word: str = "",
    ) -> None:
        self._child = child
        self._word = word
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
        self._began = self._used = time.monotonic()
        self._kill_at: float | None = None
        self._idled = False
        # What a rerun has told us.
        self._told = orders.listen(paths) if asked.hold_on_failure else -1
        self._replaced = self._postponed = self._finished = False
        if self._told >= 0:
            self._poll.register(self._told, select.POLLIN)

    def run(self) -> int:
        """Serve until the command has ended and nothing holds the container; return the exit status."""
        while self._status is None:
            self._wait(self._timeout())
            self._due(time.monotonic())
        if self._idled and self._word == _PLACEHOLDER:
            log.say("nothing but sm-wait ran here: ending with 0")
            self._status = 0
        if self._replaced and self._status == 0:
            # It was stopped by hand; that it ended in good order does not make the job complete.
            self._status = 128 + signal.SIGTERM
        if self._status != 0 and self._asked.hold_on_failure and not self._stopping:
            self._status = self._hold(self._status)
        if self._told >= 0:
            self._poll.unregister(self._told)
            orders.deaf(self._paths, self._told)
            self._told = -1
        if self._finished:
            closing.close_logins(self._paths, self._wait, closing.FINISHING)
        elif self._first:
            closing.close_logins(self._paths, self._wait)
        self._finish_deregistration()
        return self._status

    def last_resort(self) -> int:
        """Return the command's status with nothing of ours in the way: after a defect it must not run a second time."""
        while self._status is None:
            self._reap(block=True)
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
        self._obey()
        self._reap()

    def _reap(self, *, block: bool = False) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, raw = os.waitpid(-1, 0 if block else os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    code = os.waitstatus_to_exitcode(raw)
                    self._status = 128 - code if code < 0 else code
                    block = False
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
        setting_up = found.get("phase") in _SETTING_UP and now - self._began < _SETTLED_WITHIN
        if setting_up or sessions.connected(int(found.get("port") or 0), int(found.get("services") or 0)):
            self._used = now
        elif now - self._used >= self._asked.idle_timeout:
            log.say(f"nobody has been connected for {self._asked.idle_timeout:g} s: ending the command")
            self._stopping = self._idled = True
            self._kill_at = now + _IDLE_GRACE
            self._kill_group(signal.SIGTERM)

    def _kill_group(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._child, number)

    def _obey(self) -> None:
        """Do what a rerun has told us, see orders; whether it may is for the rerun to know."""
        for word in waiters.words(self._told) if self._told >= 0 else ():
            if word == orders.REPLACE and self._status is None and not self._stopping and not self._replaced:
                log.say("sm-ssh rerun --stop-first: stopping the command")
                self._replaced = True
                self._kill_at = time.monotonic() + _STOP_GRACE
                self._kill_group(signal.SIGTERM)
            elif word in (orders.BEGIN, orders.END):
                log.say(
                    "sm-ssh rerun: the command runs again" if word == orders.BEGIN else "sm-ssh rerun: it has ended"
                )
                self._postponed = True
            elif word == orders.FINISH:
                self._finished = self._status is not None

    def _hold(self, code: int) -> int:
        """Keep the container after a failure; return the status that the job ends with."""
        seconds = self._asked.hold_on_failure
        found = status.read(self._paths)
        if found.get("phase") == status.FAILED:
            log.say(f"the command failed with {code}; not held, as SSH could not be set up and nobody can get in")
            return code
        log.say(f"the command failed with {code}; the container stays for {seconds:g} s{self._way_in(found)}")
        status.update(self._paths, job="failed", exit=code)
        try:
            fifo, path = waiters.open_fifo(str(self._paths.waiters), time.time() + seconds)
        except OSError:
            fifo, path = -1, ""
        if fifo >= 0:
            self._poll.register(fifo, select.POLLIN)
        why = self._held(seconds, fifo, path)
        if fifo >= 0:
            self._poll.unregister(fifo)
            os.close(fifo)
        if self._finished:
            log.say(f"sm-ssh rerun --finish: the job ends with 0 instead of {code}")
            return 0
        log.say(f"{why}: ending with {code}")
        return code

    def _way_in(self, found: Mapping[str, Any]) -> str:
        """Return how to get in, for the log: by the job's name, else by its node's id."""
        # Only here, as it takes memory that most containers never need. The services may not know yet what we are.
        from sm_ssh_entry.boot import context

        here = context.read(environment.text(self._given), self._paths, self._word)
        names = (here.host if here.several_nodes else "", here.name, here.kind)
        host = ".".join(one for one in names if one) + contract.NAME_SUFFIX
        host = host if here.name else str(found.get("node_id") or "")
        into = f": sm-ssh connect {host} gets in, sm-ssh rerun {host} runs it again," if host else ","
        return f"{into} sm-wait stop ends it"

    def _held(self, seconds: float, fifo: int, path: str) -> str:
        """Hold until something ends it; return what did."""
        why = ""
        end = time.monotonic() + seconds
        while not why:
            left = end - time.monotonic()
            # Somebody is at work here: the time begins anew.
            if self._postponed or (left <= 0 and supervise.running(str(self._paths.run), orders.LOCK)):
                self._postponed = False
                end = time.monotonic() + seconds
                path = waiters.postpone(path, time.time() + seconds)
                continue
            if left <= 0:
                why = f"{seconds:g} s are over"
                break
            self._wait(left)
            words = waiters.words(fifo) if fifo >= 0 else []
            if self._stopping:
                why = "the job is stopped"
            elif self._finished:
                why = "finished"
            elif waiters.STOP in words:
                why = "sm-wait stop"
            elif waiters.FAILED in words:
                why = "SSH could not be set up, so nobody can get in"
        waiters.remove(path)
        return why

    def _start_deregistration(self) -> None:
        """Run it as a child: the AWS client is large, and may hang where the network is gone already."""
        self._deregistered = True
        self._deregistering = _start_deregistration(self._given)

    def _finish_deregistration(self) -> None:
        if not self._deregistered:
            self._start_deregistration()
        end = time.monotonic() + _DEREGISTER_TIMEOUT
        while self._deregistering and (left := end - time.monotonic()) > 0:
            self._wait(left)
        if self._deregistering:
            with contextlib.suppress(OSError):
                os.kill(self._deregistering, signal.SIGKILL)


def _start_deregistration(given: Mapping[bytes, bytes]) -> int:
    words = [sys.executable, "-I", "-m", "sm_ssh_entry.boot.deregister"]
    # Its line goes to our log; nothing of it belongs to the user's output.
    return os.posix_spawn(sys.executable, words, environment.ours(given), file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])


def deregister(given: Mapping[bytes, bytes]) -> None:
    """Deregister the node of a container whose command is not started any more, within some seconds.

    Args:
        given: the job's environment.
    """
    end = time.monotonic() + _DEREGISTER_TIMEOUT
    with contextlib.suppress(OSError):
        child = _start_deregistration(given)
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.05)


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
    status.update(paths, main=child)
    word = os.path.basename(command[0])  # noqa: PTH119 # no file is meant
    made = Init(child, given, asked, paths, pipe, word=word)
    try:
        return made.run()
    except Exception:  # noqa: BLE001 # job would take it for a reason to become the command
        log.unexpected("init")
        return made.last_resort()


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
