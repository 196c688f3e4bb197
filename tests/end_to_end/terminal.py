"""A user's terminal for tests: a pseudo terminal with a size, a program in its foreground, and what it has shown."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import tempfile
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

# Leads a session, so the first terminal that it opens is its own, and stays when the program has ended, as a user's
# shell does: a terminal whose session leader is gone is nobody's any more.
_TAKE_TERMINAL = (
    'exec <"$0" >"$0" 2>&1; status=$1; shift; "$@"; echo $? >"$status.new"; mv "$status.new" "$status"; exec sleep 1000'
)


class UserTerminal:
    """A terminal in which a program runs.

    Args:
        argv: the program.
        env: its whole environment.
        cols: columns.
        rows: rows.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, cols: int = 100, rows: int = 30) -> None:
        self.leader, self._follower = os.openpty()
        self.resize(cols, rows)
        self.before = self.attributes()
        self._shown = bytearray()
        self._folder = tempfile.TemporaryDirectory()
        self._status = Path(self._folder.name) / "status"
        words = ["/bin/sh", "-c", _TAKE_TERMINAL, os.ttyname(self._follower), str(self._status), *argv]
        self._leader = subprocess.Popen(words, env={**env, "TERM": "xterm-256color"}, start_new_session=True)
        self.pid = wait_until(self._child, what="the program")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> UserTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._status.exists():
            self.signal(signal.SIGTERM)
            with contextlib.suppress(AssertionError):
                wait_until(self._status.exists, 5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._leader.pid, signal.SIGKILL)
        self._leader.wait(timeout=120)
        self._folder.cleanup()
        os.close(self._follower)
        self._thread.join(timeout=120)
        os.close(self.leader)

    @property
    def shown(self) -> str:
        """Everything shown so far."""
        return self._shown.decode(errors="replace")

    def type(self, text: str | bytes) -> None:
        """Type, or paste."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self.leader, data[:1024]) :]

    def saw(self, pattern: str, timeout: float = 20.0, *, after: int = 0) -> int:
        """Wait until what is shown matches; return where the match ends.

        Args:
            pattern: regular expression.
            timeout: seconds.
            after: where to begin, as an earlier call returned it.
        """

        def match() -> re.Match[str] | None:
            return re.compile(pattern).search(self.shown, after)

        try:
            return wait_until(match, timeout).end()
        except AssertionError:
            raise AssertionError(f"not shown: {pattern}\n{self.shown[after:]!r}") from None

    def resize(self, cols: int, rows: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def attributes(self) -> list[Any]:
        """What ``stty`` would show."""
        return termios.tcgetattr(self._follower)

    def is_raw(self) -> bool:
        """Whether keys are passed on one by one."""
        return not self.attributes()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    @property
    def has_ended(self) -> bool:
        """Whether the program has."""
        return self._status.exists()

    def end(self, timeout: float = 20.0) -> int:
        """Wait for the program's end and return its status as a shell sees it."""
        try:
            wait_until(self._status.exists, timeout)
        except AssertionError:
            raise AssertionError(f"still there; shown: {self.shown!r}") from None
        return int(self._status.read_text())

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def taken(self) -> bool:
        """Whether all that was typed has been read."""
        count = array.array("i", [0])
        fcntl.ioctl(self._follower, termios.FIONREAD, count)
        return not count[0]

    def _child(self) -> int | None:
        path = Path(f"/proc/{self._leader.pid}/task/{self._leader.pid}/children")
        children = path.read_text().split()
        return int(children[0]) if children else None

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.leader, 65536)
            except OSError:
                return
            if not data:
                return
            self._shown += data
