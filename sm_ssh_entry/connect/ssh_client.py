"""Running the system's ``ssh`` as a child: its terminal is ours, its status is ours, and where it could not connect,
the reason that its proxy left for us.

We stay instead of exec'ing for two reasons: ``ssh`` has one status, 255, for everything that is not the remote
command's, and Windows has no exec.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.connect import outcome
from sm_ssh_entry.errors import KeyRefused, SessionFailed, SmSshError

SSH_FAILED = 255
# Its own connection's words, and those over a connection that is shared.
_EXIT_STATUS = re.compile(r"^debug[12]: (?:Exit status|.*[Rr]eceived exit status from master) (-?[0-9]+)", re.MULTILINE)
_CHATTER = ("debug", "Transferred: ", "Bytes per second: ", "Authenticated to ", "OpenSSH_", "Warning: ")
# How it begins to quote the remote command, and how much of a message it keeps (MSGBUFSIZ in its log.c).
_QUOTE = "debug1: Sending command: "
_MESSAGE = 1023


@dataclass(frozen=True)
class Notes:
    """A private folder for one run of ``ssh``: what the proxy and ``ssh`` itself note there."""

    folder: Path

    @property
    def outcome(self) -> Path:
        """Where the proxy leaves its error."""
        return self.folder / "outcome.json"

    @property
    def log(self) -> Path:
        """``ssh -E``."""
        return self.folder / "ssh.log"

    def proxy_code(self) -> int:
        """Return the exit code that the proxy ended with, 0 where it left none."""
        left = outcome.taken(self.outcome)
        return left[0].exit_code if left else 0

    def judged(self) -> int:
        """Return the exit code that the proxy ended with, 0 where it left none; raise its error if nobody saw it."""
        left = outcome.taken(self.outcome)
        if left and not left[1]:
            raise left[0]
        return left[0].exit_code if left else 0


@contextlib.contextmanager
def notes() -> Iterator[Notes]:
    """Make the folder, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sm-ssh-"))
    try:
        yield Notes(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(argv: Sequence[str], kept: Notes) -> int:
    """Run ``ssh`` in our place and return its status, or the proxy's own code where that is why it failed.

    Raises:
        ToolMissing: there is no ``ssh``.
        SmSshError: the proxy's, where it could not print it.
    """
    status = _run(argv)
    return (kept.judged() or status) if status == SSH_FAILED else status


def run_logged(argv: Sequence[str], kept: Notes) -> int:
    """Run ``ssh`` for one command, with its log in a file (``-E``), and return the remote status exactly.

    The log tells the remote command's own 255 from a connection that failed.

    Raises:
        KeyRefused: the node takes none of our keys.
        SessionFailed: the host key is another one, or the connection failed or broke.
    """
    status = _run(argv)
    log = kept.log.read_text(encoding="utf-8", errors="replace") if kept.log.exists() else ""
    ended = _EXIT_STATUS.findall(log)
    if status != SSH_FAILED or (ended and int(ended[-1]) == SSH_FAILED):
        return status
    code = kept.judged()
    if code:
        return code
    raise failure(_said(log, argv[-1]))


def options_for_log(kept: Notes) -> list[str]:
    """Return the options that ``run_logged`` needs."""
    return ["-E", str(kept.log), "-o", "LogLevel=DEBUG2"]


def _said(log: str, remote: str) -> list[str]:
    """Return ssh's own words in a log: no chatter, and not the remote command, which it quotes as it stands.

    Args:
        log: the whole log.
        remote: the remote command, of one or more lines.
    """
    said = []
    quoted = 0
    for line in log.split("\n"):
        if line.startswith(_QUOTE):
            quoted = f"{_QUOTE}{remote}"[:_MESSAGE].count("\n")
        elif quoted and not line.startswith("debug"):
            quoted -= 1
        else:
            quoted = 0
            if line.strip() and not line.startswith(_CHATTER):
                said.append(line)
    return said


def failure(lines: list[str]) -> SmSshError:
    """Return the error that ssh's own words mean.

    Args:
        lines: what it said before it ended with 255.
    """
    text = "\n".join(lines)
    last = lines[-1].strip() if lines else "the connection was lost"
    if "Host key verification failed" in text:
        return SessionFailed(
            "Host key verification failed: what answers is not the node that registered",
            hint="somebody may be in between; if sshd was set up anew on the node, restart the job",
        )
    if "Permission denied" in text:
        return KeyRefused(f"the node takes none of our keys ({last})", hint="name the key of the job: SSH_KEY=path")
    return SessionFailed(f"ssh failed: {last}", hint="sm-ssh connect NAME -v shows each step")


def _run(argv: Sequence[str]) -> int:
    children: list[command.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        if children:
            children[0].send_signal(number)
        else:
            early.append(number)

    # Ctrl-C is for ssh, which has the same terminal; TERM and HUP may have been sent to us alone. We listen before ssh
    # is there: a signal that came in between would end us and leave ssh behind.
    wanted: dict[str, Callable[[int, object], None]] = {"SIGINT": _ignore, "SIGTERM": pass_on, "SIGHUP": pass_on}
    handlers = {getattr(signal, name): handler for name, handler in wanted.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        children.append(command.spawn(argv, stdin=None))
        for number in early:
            children[0].send_signal(number)
        return command.shell_status(_wait(children[0]))
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _wait(child: command.Popen[bytes]) -> int:
    """Wait for the child; when its own escape (``~^Z``) stops it, stop and go on with it."""
    if sys.platform == "win32":
        return child.wait()
    while True:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
            os.kill(child.pid, signal.SIGCONT)
            continue
        child.returncode = os.waitstatus_to_exitcode(status)
        return child.returncode


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing; unlike SIG_IGN this is not handed down to the child."""
