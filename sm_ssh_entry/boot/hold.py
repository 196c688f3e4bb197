"""Starts the services, then waits until the user's command may run, or must not.

Part of job, in the container's first process. Its own FIFO, signals, and the services' end all wake one poll, so that
``sm-wait stop`` takes effect within milliseconds and nothing is polled by the clock.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from sm_ssh_entry.boot import closing, environment, log, orders, status, supervise, user_command, waiters
from sm_ssh_entry.boot.settings import Settings
from sm_ssh_entry.boot.signals import STOPPING, SignalPipe
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed, SmSshError

# The set-up ends by itself well before; this is for a set-up that hangs.
_SETUP_MAX = 420.0
_REASON_MAX = 1024
_DESCRIPTORS = 1024


class Event(Enum):
    """What ends or changes a hold."""

    STOP = "sm-wait stop"
    READY = "ready"
    ALONE = "sshd only"
    FAILED = "failed"
    DIED = "services died"
    SIGNAL = "signal"
    RERUN = "a rerun has begun, or ended"
    FINISH = "a rerun stands for the command"
    DEADLINE = "deadline"


class Outcome(NamedTuple):
    """How a hold ended: a status to exit with, or None where the user's command is to run."""

    status: int | None = None


def launch(paths: Paths, given: Mapping[bytes, bytes], *, job: int, word: str, log_file: str = "") -> int:
    """Start the services as an orphan; return a descriptor that ends when they do.

    A double fork: they are never a child of the process that becomes the user's command.

    Args:
        paths: where the container keeps its files; the folder is there.
        given: the job's environment.
        job: process id with which the services end; 0: they stay.
        word: first word of the user's command.
        log_file: where our lines go instead of the container's log, for a caller that waits for its output's end.
    """
    status.update(paths, fresh=True, phase=status.STARTING, main=job or None)
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    words = [sys.executable, "-I", "-m", "sm_ssh_entry.boot.supervise", "--job", str(job)]
    words += ["--word", word, "--prepared", "yes"]
    child = os.fork()
    if child == 0:
        try:
            if os.fork() == 0:
                os.setsid()
                nothing = os.open(os.devnull, os.O_RDONLY)
                os.dup2(nothing, 0)
                # SSH_LOG_TO_STDOUT: our lines follow the user's output; else everything of ours goes to the error log.
                log_to = 1 if given.get(b"SSH_LOG_TO_STDOUT") == b"true" else 2
                if log_file:
                    log_to = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                os.dup2(log_to, 1)
                os.dup2(log_to, 2)
                os.closerange(3, writing)
                os.closerange(writing + 1, _DESCRIPTORS)
                os.execve(sys.executable, words, environment.ours(given))  # noqa: S606
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    return reading


class Hold:
    """One wait of the container's first process.

    Args:
        fifo: our FIFO's descriptor.
        life: the services' descriptor.
        pipe: the signals that stop a job.
        told: the descriptor of a rerun's orders; -1: there are none.
    """

    def __init__(self, fifo: int, life: int, pipe: SignalPipe, told: int = -1) -> None:
        self._fifo = fifo
        self._life = life
        self._pipe = pipe
        self._told = told
        self._poll = select.poll()
        for descriptor in (fifo, life, pipe.descriptor, *((told,) if told >= 0 else ())):
            self._poll.register(descriptor, select.POLLIN)
        self.signal = 0

    def next(self, deadline: float) -> Event:
        """Wait for what happens next.

        Args:
            deadline: monotonic seconds.
        """
        known = {
            waiters.STOP: Event.STOP,
            waiters.READY: Event.READY,
            waiters.ALONE: Event.ALONE,
            waiters.FAILED: Event.FAILED,
            orders.BEGIN: Event.RERUN,
            orders.END: Event.RERUN,
            orders.FINISH: Event.FINISH,
        }
        while (left := deadline - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in self._poll.poll(left * 1000)}
            if self._pipe.descriptor in ready:
                self.signal = next((number for number in self._pipe.read() if number in STOPPING), 0)
                if self.signal:
                    return Event.SIGNAL
            heard = [word for one in (self._fifo, self._told) if one in ready for word in waiters.words(one)]
            events = [known[word] for word in heard if word in known]
            if events:
                # A rerun's end and what it means for the job may come at once.
                return next((event for event in events if event is not Event.RERUN), events[0])
            if self._life in ready:
                self._poll.unregister(self._life)
                return Event.DIED
        return Event.DEADLINE


def run(
    command: Sequence[str], given: Mapping[bytes, bytes], asked: Settings, paths: Paths, pipe: SignalPipe
) -> Outcome:
    """Start the services and wait as asked; say whether the user's command is to run.

    Args:
        command: the user's command.
        given: the job's environment.
        asked: the user's settings.
        paths: where the container keeps its files.
        pipe: the signals that stop a job.
    """
    word = os.path.basename(command[0])  # noqa: PTH119 # no file is meant
    waits = asked.wait > 0 or asked.fails
    end = time.monotonic() + asked.wait
    try:
        status.prepare(paths)
        fifo, path = waiters.open_fifo(str(paths.waiters), time.time() + asked.wait)
    except (OSError, SmSshError) as error:
        ours = error if isinstance(error, SmSshError) else SetupFailed(f"cannot wait ({error.strerror})")
        log.fail(ours)
        return _failed(asked, paths, log.describe(ours))
    _keep(command, paths)
    told = orders.listen(paths) if asked.wait else -1
    life = launch(paths, given, job=os.getpid(), word=word)
    place = _Place(path)
    try:
        return _wait(Hold(fifo, life, pipe, told), asked, paths, end, place) if waits else Outcome()
    finally:
        waiters.remove(place.path)
        orders.deaf(paths, told)
        os.close(fifo)
        os.close(life)


def _keep(command: Sequence[str], paths: Paths) -> None:
    try:
        user_command.keep(paths, command, os.getpid())
    except OSError as error:
        log.say(f"WARNING cannot keep the command for a rerun ({error.strerror})")


class _Place:
    """Where our FIFO is: its name tells others how long we wait."""

    def __init__(self, path: str) -> None:
        self.path = path

    def postpone(self, seconds: float) -> float:
        self.path = waiters.postpone(self.path, time.time() + seconds)
        return time.monotonic() + seconds


def _wait(holding: Hold, asked: Settings, paths: Paths, end: float, place: _Place) -> Outcome:
    limit = time.monotonic() + _SETUP_MAX
    ready = False
    if asked.wait:
        log.say(f"the command waits for up to {asked.wait:g} s; in a login, sm-wait stop starts it")
    while True:
        # With SSH_ON_ERROR=fail the command must not start before it is certain that somebody can get in.
        event = holding.next(end if ready or not asked.fails else limit)
        if event is Event.READY and asked.wait:
            ready = True
            status.update(paths, job="waiting")
            continue
        # Somebody is at work here: the command must not start in the middle of it.
        busy = event is Event.DEADLINE and ready and supervise.running(str(paths.run), orders.LOCK)
        if event is Event.RERUN or busy:
            log.say(f"somebody runs the command by hand (sm-ssh rerun): it waits for {asked.wait:g} s from now")
            end = place.postpone(asked.wait)
            continue
        break
    if event is Event.SIGNAL:
        log.say("stopped before the command was started")
        return Outcome(128 + holding.signal)
    if event is Event.FINISH:
        log.say("sm-ssh rerun --finish: the job ends with 0, its own command was never started")
        closing.close_logins(paths, time.sleep, closing.FINISHING)
        return Outcome(0)
    if event in (Event.FAILED, Event.DIED):
        return _failed(asked, paths, _reason(paths, event))
    if event is Event.DEADLINE and asked.fails and not ready:
        return _failed(asked, paths, "SSH was not set up in time (hint: see the container's log)")
    if event is Event.STOP:
        log.say("sm-wait stop: starting the command")
    elif event is Event.DEADLINE:
        log.say(f"nobody ran sm-wait stop within {asked.wait:g} s: starting the command")
    return Outcome()


def _reason(paths: Paths, event: Event) -> str:
    if event is Event.DIED:
        return "the SSH services ended unexpectedly (hint: see the container's log)"
    found = status.read(paths)
    return log.describe(SetupFailed(str(found.get("error", "SSH set-up failed")), hint=str(found.get("hint", ""))))


def _failed(asked: Settings, paths: Paths, reason: str) -> Outcome:
    if not asked.fails:
        return Outcome()
    write_failure(paths, reason)
    log.say("SSH_ON_ERROR=fail: the command is not started")
    return Outcome(1)


def write_failure(paths: Paths, reason: str) -> None:
    """Put the reason where the service reads it: ExitMessage of a processing job, FailureReason of the others.

    Args:
        paths: where SageMaker put its files.
        reason: one line.
    """
    processing = (paths.ml / "config" / "processingjobconfig.json").exists()
    file: Path = paths.failure.with_name("message") if processing else paths.failure
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"[sm-ssh] {reason}"[:_REASON_MAX], encoding="utf-8", errors="replace")
    except OSError as error:
        log.say(f"WARNING cannot write {file} ({error.strerror})")
