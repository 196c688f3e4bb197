"""What became of commands, on disk, so that a worker that is replaced neither runs one twice nor forgets a result.

One small file a command: empty while it runs, its final reply once it has ended. A file goes when its reply was
received and a repetition of the command would no longer be taken for a duplicate.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# Protocol page, section 9.1: the same command id within 30 minutes is a duplicate; replies are dropped after 2 hours.
DUPLICATE_SECONDS = 1800.0
REPLY_SECONDS = 7200.0
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class Unfinished:
    """A command that an earlier worker left: with its final reply, or ``b""`` if it was still running."""

    command_id: str
    reply: bytes


class Journal:
    """The commands of one node.

    Args:
        folder: where the files are; made when needed.
        clock: epoch seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    @staticmethod
    def valid(command_id: str) -> bool:
        """Whether an id can be a file's name: nothing that leaves the folder."""
        return _ID.fullmatch(command_id) is not None

    def begin(self, command_id: str) -> bool:
        """Note a command; False: it is a duplicate."""
        self._sweep()
        path = self._folder / command_id
        if path.exists() or self._done(command_id).exists():
            return False
        self._write(path, b"")
        return True

    def finish(self, command_id: str, reply: bytes) -> None:
        """Keep the final reply until it is received."""
        self._write(self._folder / command_id, reply)

    def received(self, command_id: str) -> None:
        """Note that the final reply was received, or is no longer worth sending. The id stays known for a while."""
        with contextlib.suppress(OSError):
            (self._folder / command_id).replace(self._done(command_id))
            self._done(command_id).write_bytes(b"")

    def unfinished(self) -> list[Unfinished]:
        """Return what an earlier worker left."""
        self._sweep()
        # Neither what is done nor a scratch file that a crash left has a name that is an id.
        return [Unfinished(path.name, path.read_bytes()) for path in self._files() if self.valid(path.name)]

    def _done(self, command_id: str) -> Path:
        return self._folder / f"{command_id}.done"

    def _files(self) -> Iterator[Path]:
        return iter(sorted(self._folder.iterdir())) if self._folder.is_dir() else iter(())

    def _sweep(self) -> None:
        now = self._clock()
        for path in self._files():
            with contextlib.suppress(OSError):
                limit = DUPLICATE_SECONDS if path.name.endswith(".done") else REPLY_SECONDS
                info = path.stat()
                # An empty one without .done is a command that runs: it may take two days.
                if now - info.st_mtime > limit and (info.st_size or path.name.endswith(".done")):
                    path.unlink()

    def _write(self, path: Path, content: bytes) -> None:
        # A full disk must not keep a command from running: what is lost is the memory across a restart.
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            scratch = self._folder / f".{path.name}"
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            scratch.replace(path)
        except OSError as error:
            log.warning("command %s is not in the journal: %s", path.name, error.strerror or error)
