"""What is to be done, for sessions to take from: pieces of long files, whole small ones, and ends of files."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sm_ssh_entry.connect.copy.onefile import OneFile
from sm_ssh_entry.connect.copy.remote import Remote
from sm_ssh_entry.connect.copy.spans import Span
from sm_ssh_entry.connect.copy.tally import Tally
from sm_ssh_entry.errors import SmSshError

# Pieces get shorter towards the end, so that all sessions end together.
_LONGEST_PIECE = 16 << 20
_SHORTEST_PIECE = 1 << 18
_SHARE = 4


@dataclass(frozen=True)
class Work:
    """Something for one session to do.

    Attributes:
        file: of which file.
        span: which piece; None: a whole small file, or the end of a long one.
    """

    file: OneFile
    span: Span | None = None

    async def do(self, remote: Remote) -> None:
        """Do it."""
        if self.span is not None:
            await self.file.piece(remote, self.span)
        elif self.file.is_small:
            await self.file.whole(remote)
        else:
            await self.file.finish(remote)


class Board:
    """Work that waits, and work that is under way.

    Args:
        files: what is to be copied, as far as it is not there.
        sessions: how many will share the work.
        tally: where failures are counted.
    """

    def __init__(self, files: Sequence[OneFile], sessions: int, tally: Tally) -> None:
        self._sessions, self._tally = sessions, tally
        self._small = deque(file for file in files if file.is_small)
        self._long = deque(file for file in files if not file.is_small and file.todo)
        self._ends = deque(file for file in files if not file.is_small and not file.todo)
        self._left = sum(last - first for file in self._long for first, last in file.todo)
        self._open = len(files)
        self._changed = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether every file has been copied or has failed."""
        return self._open == 0

    async def next_piece(self) -> Work | None:
        """Return a piece of a long file, as soon as there is one; None: there will be none any more."""
        return await self._next(self._piece)

    async def next_file(self) -> Work | None:
        """Return a small file or the end of a long one; as ``next_piece``."""
        return await self._next(self._whole)

    def done(self, work: Work) -> None:
        """Say that work has been done."""
        file = work.file
        if work.span is not None:
            file.under_way -= 1
            if not file.over and not file.todo and not file.under_way:
                self._ends.append(file)
        else:
            self._open -= 1
        self._poke()

    def put_back(self, work: Work) -> None:
        """Say that work has not been done, because its session is over."""
        file = work.file
        if work.span is None:
            (self._small if file.is_small else self._ends).appendleft(file)
        else:
            file.under_way -= 1
            if not file.over:
                before = sum(last - first for first, last in file.todo)
                file.put_back(work.span)
                left = sum(last - first for first, last in file.todo) - before
                self._left += left
                if file.todo and file not in self._long:
                    self._long.appendleft(file)
                elif not file.todo and not file.under_way:
                    self._ends.append(file)
        self._poke()

    def failed(self, work: Work, error: SmSshError) -> None:
        """Say that a file cannot be copied."""
        file = work.file
        if work.span is not None:
            file.under_way -= 1
        if not file.over:
            self._left -= sum(last - first for first, last in file.todo)
            file.give_up()
            self._tally.failures.append(error)
            self._open -= 1
        self._poke()

    async def over(self) -> None:
        """Wait until nothing is left to be done."""
        while not self.is_over:
            await self._changed.wait()

    def _piece(self) -> Work | None:
        while self._long and not self._long[0].todo:
            self._long.popleft()
        if not self._long:
            return None
        file = self._long[0]
        first, last = file.todo.popleft()
        length = min(max(self._left // (_SHARE * self._sessions), _SHORTEST_PIECE), _LONGEST_PIECE)
        if last - first > length:
            file.todo.appendleft((first + length, last))
            last = first + length
        self._left -= last - first
        file.under_way += 1
        return Work(file, (first, last))

    def _whole(self) -> Work | None:
        if self._ends:
            return Work(self._ends.popleft())
        return Work(self._small.popleft()) if self._small else None

    async def _next(self, take: Callable[[], Work | None]) -> Work | None:
        while not self.is_over:
            work = take()
            if work is not None:
                return work
            await self._changed.wait()
        return None

    def _poke(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


Next = Callable[[], Awaitable["Work | None"]]
