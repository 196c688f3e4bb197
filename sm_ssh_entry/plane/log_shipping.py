"""A job's output on its way to the plane's CloudWatch Logs: within a second, and never in the job's way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane import daemon

_INTERVAL = 1.0
# Lines that wait; a job that prints faster than the plane reads loses its oldest, as the log then says.
MAX_WAITING = 20_000
# A call of PutLogEvents takes as many, and a line of 256 KiB at most: contract of the service.
_BATCH = 5_000
_LINE_BYTES = 256 * 1024
_BATCH_BYTES = 1024 * 1024
_LAST_SECONDS = 20.0
# How often the last lines are tried when the plane does not answer in time: a busy machine's may be slow.
_LAST_TRIES = 3
# Group and stream, milliseconds, the line.
_Line: TypeAlias = "tuple[tuple[str, str], int, bytes]"


class Shipper:
    """Takes lines from several threads and ships them from one of its own.

    Args:
        state: the plane.
    """

    def __init__(self, state: daemon.State) -> None:
        self._state = state
        self._waiting: deque[_Line] = deque()
        self._lost = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def __enter__(self) -> Shipper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=_LAST_SECONDS)

    def stream(self, group: str, name: str) -> Callable[[bytes], None]:
        """Make a stream, and return what takes its lines.

        Args:
            group: its group.
            name: its name.
        """
        where = (group, name)

        def take(line: bytes) -> None:
            with self._lock:
                if len(self._waiting) >= MAX_WAITING:
                    self._waiting.popleft()
                    self._lost += 1
                self._waiting.append((where, time.time_ns() // 1_000_000, line[:_LINE_BYTES]))

        # An empty line makes nothing but the stream.
        with self._lock:
            self._waiting.append((where, 0, b""))
        return take

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(_INTERVAL)
            tries = _LAST_TRIES if over else 1
            while tries and (batch := self._taken()):
                unsent = self._send(batch)
                if unsent:
                    tries -= 1
                    with self._lock:
                        self._waiting.extendleft(reversed(unsent))

    def _taken(self) -> list[_Line]:
        batch: list[_Line] = []
        size = 0
        with self._lock:
            while self._waiting and len(batch) < _BATCH and size < _BATCH_BYTES:
                batch.append(self._waiting.popleft())
                size += len(batch[-1][2])
            if batch and self._lost:
                where, at, _ = batch[0]
                batch.insert(0, (where, at, b"sm-ssh: %d lines were lost here" % self._lost))
                self._lost = 0
        return batch

    def _send(self, batch: list[_Line]) -> list[_Line]:
        """Send lines; return those that the plane did not take, being gone or slow."""
        streams: dict[tuple[str, str], list[list[object]]] = {}
        sent: set[tuple[str, str]] = set()
        for where, at, line in batch:
            events = streams.setdefault(where, [])
            if at:
                # The service refuses an empty message.
                events.append([at, line.decode("utf-8", "replace") or " "])
        for (group, name), events in streams.items():
            params = {"region": self._state.region, "group": group, "stream": name, "events": events}
            try:
                daemon.ask(self._state, "POST", "logs", params)
            except SmSshError:
                return [line for line in batch if line[0] not in sent]
            sent.add((group, name))
        return []
