"""In the plane: starts a runner for what was asked for, tells it what happens later, and buries it.

A runner is a process of its own, so that nothing a job does can stop the plane; its standard input is open as long as
the plane lives, and ends it when that does not any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sm_ssh_entry import command, contract
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane import daemon
from sm_ssh_entry.plane.execution.order import JOBS, Order

# The cli's, because the container's half that it lays out for jobs as processes is no room of the plane's.
RUNNER = ("-I", "-m", "sm_ssh_entry.cli.local_runner")


class Desk:
    """Runners by what they run.

    Args:
        mode: one of ``order.MODES``.
        folder: the plane's folder.
        state: gives the plane's state.
        crashed: told the order of a runner that may have ended without a word, and the last line that it printed.
    """

    def __init__(
        self,
        mode: str,
        folder: Path,
        state: Callable[[], daemon.State],
        crashed: Callable[[Order, str], object],
    ) -> None:
        self.mode = mode
        self._folder = folder
        self._state = state
        self._crashed = crashed
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str, str], command.Popen[bytes]] = {}

    @property
    def runs(self) -> bool:
        """Whether anything runs here, or is a record only."""
        return self.mode != "records"

    def sweep(self) -> None:
        """Remove from the engine, in the background, what jobs of an earlier plane of this folder have left."""
        if self.mode in ("auto", "containers") and sys.platform != "win32":
            threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def _sweep(self) -> None:
        # Not on Windows: it holds a lock of the kernel's.
        from sm_ssh_entry.plane import warden

        # No engine, or one that does not answer: then no job of ours is on it either.
        with contextlib.suppress(SmSshError):
            warden.sweep(self._folder)

    async def start(self, kind: str, name: str, region: str, *, arn: str, request: dict[str, object]) -> None:
        """Start a runner; does nothing where jobs are records.

        Args:
            kind: see ``Order``.
            name: see ``Order``.
            region: see ``Order``.
            arn: see ``Order``.
            request: see ``Order``.
        """
        if self.runs:
            order = Order(kind, name, region, arn, request, self.mode, str(self._folder), self._state())
            await asyncio.to_thread(self._start, order)

    async def tell(self, kind: str, name: str, region: str, word: str) -> bool:
        """Tell a runner what happens; False: nothing of that name runs.

        Args:
            kind: see ``Order``.
            name: see ``Order``.
            region: see ``Order``.
            word: a word of ``order``, with whatever belongs to it behind a space.
        """
        with self._lock:
            child = self._running.get((kind, region, name))
        if child is None or child.stdin is None:
            return False
        sink = child.stdin

        def write() -> bool:
            try:
                sink.write(f"{word}\n".encode())
                sink.flush()
            except (OSError, ValueError):
                return False
            return True

        return await asyncio.to_thread(write)

    def close(self) -> None:
        """Have every runner end what it runs; they do so by themselves."""
        with self._lock:
            left = list(self._running.values())
            self._running.clear()
        for child in left:
            with contextlib.suppress(OSError, ValueError):
                if child.stdin is not None:
                    child.stdin.close()

    def _start(self, order: Order) -> None:
        # Kept after a crash, for whoever wants to know why; a name's next run writes another.
        log_file = self._folder / "runners" / f"{order.kind}-{order.region}-{order.name}.log"
        log_file.parent.mkdir(mode=0o700, exist_ok=True)
        with log_file.open("wb") as log:
            child = command.spawn(
                [sys.executable, *RUNNER],
                env=os.environ | {contract.LOCAL_DIR: str(self._folder)},
                stdin=command.PIPE,
                stdout=log,
                stderr=log,
                new_session=True,
            )
        with self._lock:
            self._running[order.key] = child
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.write(order.line())
                child.stdin.flush()
        words = (order, child, log_file)
        threading.Thread(target=self._bury, args=words, name=f"bury {order.name}", daemon=True).start()

    def _bury(self, order: Order, child: command.Popen[bytes], log_file: Path) -> None:
        status = child.wait()
        with self._lock:
            ours = self._running.get(order.key) is child
            if ours:
                del self._running[order.key]
        with contextlib.suppress(OSError):
            if child.stdin is not None:
                child.stdin.close()
        # A job has said how it ended before its runner does; what has ended stays as it is.
        if ours and (status or order.kind in JOBS):
            self._crashed(order, _last_line(log_file))


def _last_line(file: Path) -> str:
    with contextlib.suppress(OSError):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""
