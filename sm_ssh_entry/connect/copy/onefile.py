"""One file under way: what is there, what is still to come, and the sessions that have it open."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from sm_ssh_entry.connect.copy import checksum, failures
from sm_ssh_entry.connect.copy.checksum import Checksums
from sm_ssh_entry.connect.copy.journal import Entry, Journal, spans_of
from sm_ssh_entry.connect.copy.plan import Copy
from sm_ssh_entry.connect.copy.remote import Remote
from sm_ssh_entry.connect.copy.shown import shown, size
from sm_ssh_entry.connect.copy.spans import Span, Spans
from sm_ssh_entry.connect.copy.tally import Tally
from sm_ssh_entry.errors import SmSshError

# A file up to this size is copied by one session, in one go; a longer one in pieces, by all.
SMALL_BYTES = 1 << 20
_NOTE_SECONDS = 1.0


@dataclass
class Job:
    """What all files of a copy share.

    Attributes:
        host: the node's name, for messages.
        journal: what is remembered.
        tally: what is counted.
        tell: takes a line for the user.
        checksums: who verifies; None: nobody.
        umask: of this machine.
    """

    host: str
    journal: Journal
    tally: Tally
    tell: Callable[[str], None]
    checksums: Checksums | None
    umask: int = 0o022


class OneFile(ABC):
    """A file; ``Upload`` and ``Download`` say how it moves.

    Args:
        copy: source and destination.
        job: what all files share.
    """

    def __init__(self, copy: Copy, job: Job) -> None:
        self.copy, self.job = copy, job
        self.spans = Spans()
        self.todo: deque[Span] = deque()
        #: Pieces that sessions have taken.
        self.under_way = 0
        self.over = False
        self._handles: dict[Remote, bytes] = {}
        self._file: BinaryIO | None = None
        self._noted = 0.0
        self._reset()

    @property
    def size(self) -> int:
        """Bytes of the source."""
        return self.copy.found.size

    @property
    def is_small(self) -> bool:
        """Whether one session copies it in one go."""
        return self.size <= SMALL_BYTES

    async def resume(self, remote: Remote) -> bool:
        """Find out what an earlier run has left; return whether nothing is to be done.

        Args:
            remote: a session.
        """
        found, to = self.copy.found, self.copy.to
        entry = self.job.journal.entries.get(to)
        if entry is None:
            return False
        if (entry.size, entry.changed) != (found.size, found.changed):
            self.job.tell(f"{shown(found.source)} has changed since: it is copied anew")
        elif entry.whole and await self._is_there(remote, to, seconds=found.seconds):
            self.job.tally.resumed += found.size
            self.over = True
            return True
        else:
            spans = spans_of(entry, found.size, found.changed)
            if spans is not None and spans.total and await self._is_there(remote, self.copy.partial, least=spans.end):
                self._reset(spans)
                self.job.tally.resumed += spans.total
                self.job.tell(f"{shown(found.source)}: {size(spans.total)} of {size(found.size)} are there already")
                return False
        self.job.journal.drop(to)
        return False

    def put_back(self, span: Span) -> None:
        """Take back a piece that was not finished: what is missing of it is to be done again."""
        for first, last in reversed(self.spans.missing(self.size)):
            part = (max(first, span[0]), min(last, span[1]))
            if part[0] < part[1]:
                self.todo.appendleft(part)

    async def whole(self, remote: Remote) -> None:
        """Copy a small file.

        Args:
            remote: the session that does it.
        """
        try:
            if self.size:
                await self.piece(remote, (0, self.size))
            else:
                await self._handle(remote)
            await self.finish(remote)
        except BaseException:
            self.job.tally.moved -= self.spans.total
            self._reset()
            self._close_local()
            raise

    async def piece(self, remote: Remote, span: Span) -> None:
        """Copy a part of the file.

        Args:
            remote: the session that does it.
            span: which part.

        Raises:
            SmSshError: it cannot be read or written.
            SessionLost: the session is over.
        """
        handle = await self._handle(remote)
        await self._move(remote, handle, span)

    async def finish(self, remote: Remote) -> None:
        """Check that all of it has arrived, and give it its name, mode and time.

        Args:
            remote: the session that does it.
        """
        for one, handle in self._handles.items():
            one.forget(handle)
        self._handles.clear()
        self._close_local()
        if not await self._settle(remote):
            return
        self.over = True
        self.job.tally.done += 1
        found = self.copy.found
        self.job.journal.note(self.copy.to, Entry(found.size, found.changed, whole=True))

    def forget_pieces(self) -> None:
        """Begin anew: what an earlier run has left does not help on this way."""
        self.job.tally.resumed -= self.spans.total
        self._reset()

    def arrived_by_other_ways(self) -> None:
        """All of it is in the partial file, and no session has brought it there."""
        self.todo.clear()

    def lose(self, remote: Remote) -> None:
        """Forget what a session had open: it is over."""
        self._handles.pop(remote, None)

    def close(self) -> None:
        """Write down how far it is, and let go of what this machine has open."""
        self._note(force=True)
        self._close_local()

    def give_up(self) -> None:
        """It has failed: nothing more is to be done for it."""
        self.over = True
        self.todo.clear()
        self.close()

    def _arrived(self, offset: int, length: int) -> None:
        self.spans.add((offset, offset + length))
        self.job.tally.moved += length
        self._note()

    def _note(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if self.is_small or self.over or not self.spans.total or (not force and now - self._noted < _NOTE_SECONDS):
            return
        self._noted = now
        found = self.copy.found
        self.job.journal.note(self.copy.to, Entry(found.size, found.changed, spans=tuple(self.spans.listed())))

    def _reset(self, spans: Spans | None = None) -> None:
        self.spans = spans or Spans()
        self._begun = bool(self.spans.total)
        self.todo = deque(self.spans.missing(self.size))

    def _close_local(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # what was not written was reported when it was written
                file.close()

    async def _verify(self, remote: Remote, local: str, there: str) -> bool | None:
        """Compare the sums of both sides: None where none was asked for, or the node cannot compute one."""
        if self.job.checksums is None:
            return None
        try:
            theirs, ours = await asyncio.gather(
                self.job.checksums.of(remote, there, self.size), checksum.of_local(local)
            )
        except OSError as error:
            raise failures.here(error, local) from error
        if theirs is None:
            return None
        if theirs == ours:
            self.job.tally.verified += 1
        return theirs == ours

    def _differs(self) -> SmSshError:
        self.job.tally.moved -= self.spans.total
        self._reset()
        self.job.journal.drop(self.copy.to)
        return failures.differs(self.copy.to)

    @abstractmethod
    async def _handle(self, remote: Remote) -> bytes:
        """Return the handle of the node's file in a session, opened if need be; open the local one as well."""

    @abstractmethod
    async def _move(self, remote: Remote, handle: bytes, span: Span) -> None:
        """Copy a part, and call ``_arrived`` for what has."""

    @abstractmethod
    async def _settle(self, remote: Remote) -> bool:
        """Verify the copy and give it its name, mode and time."""

    @abstractmethod
    async def _is_there(self, remote: Remote, path: str, *, least: int = -1, seconds: int = -1) -> bool:
        """Whether a copy or partial one lies at a path.

        Args:
            remote: a session.
            path: on the destination's side.
            least: bytes that it has at least; -1: exactly the source's.
            seconds: time of its last change; -1: any.
        """
