"""The sessions that copy, each with a few requests of its own under way. One that breaks is opened again; the others go
on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from sm_ssh_entry.connect.copy import failures
from sm_ssh_entry.connect.copy.board import Board, Next
from sm_ssh_entry.connect.copy.dial import Link, Route
from sm_ssh_entry.connect.copy.onefile import Job, OneFile
from sm_ssh_entry.connect.copy.remote import Remote, SessionLost
from sm_ssh_entry.connect.copy.shown import size
from sm_ssh_entry.errors import (
    ConnectionLost,
    NoSpace,
    SessionFailed,
    SmSshError,
    Throttled,
    TimedOut,
    Unreachable,
)

# Two pieces of a long file under way leave no pause between one and the next; small files are all waiting for answers.
_PIECES_AT_ONCE = 2
_FILES_AT_ONCE = 12
# A session is opened again so often without anything copied in between, after pauses that double: 30 s in all.
_TRIES = 6
_FIRST_PAUSE = 0.5
_MAY_PASS = (ConnectionLost, SessionFailed, Throttled, TimedOut, Unreachable)


class Crew:
    """Works until nothing is left.

    Args:
        route: opens sessions.
        files: what is to be copied.
        job: what the files share.
        sessions: how many.
    """

    def __init__(self, route: Route, files: Sequence[OneFile], job: Job, sessions: int) -> None:
        self._route, self._files, self._job = route, files, job
        self._board = Board(files, sessions, job.tally)
        self._sessions = sessions
        self._last: SmSshError | None = None
        self._links: list[Link] = []

    async def run(self, first: Link, closing: Callable[[Remote], Awaitable[None]]) -> None:
        """Copy everything.

        Args:
            first: a session that is open already; it is ended.
            closing: what is to be done once all files are there, in a session that is still open.

        Raises:
            SmSshError: no session is left, or a disk is full.
        """
        links: list[Link | None] = [first, *([None] * (self._sessions - 1))]
        workers = [asyncio.create_task(self._work(link)) for link in links]
        over = asyncio.create_task(self._board.over())
        try:
            waiting: set[asyncio.Task[None]] = {*workers, over}
            while not self._board.is_over and any(not worker.done() for worker in workers):
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            if self._board.is_over:
                await self._close(closing)
        finally:
            for task in (*workers, over):
                task.cancel()
            await asyncio.gather(*workers, over, return_exceptions=True)
            for file in self._files:
                file.close()
        if not self._board.is_over:
            if self._job.tally.moved:
                self._job.tell(f"no session is left after {size(self._job.tally.moved)}; {failures.AGAIN}")
            raise self._last or SessionFailed("all sessions have ended")

    async def _close(self, closing: Callable[[Remote], Awaitable[None]]) -> None:
        for link in self._links:
            with contextlib.suppress(SessionLost):
                await closing(link.remote)
                return
        link = await self._route.sftp()
        try:
            await closing(link.remote)
        finally:
            await link.end()

    async def _work(self, link: Link | None) -> None:
        """Keep one session at work, and open another in its place when it breaks."""
        tally, tries = self._job.tally, 0
        while not self._board.is_over:
            if link is None:
                try:
                    link = await self._route.sftp()
                except SmSshError as error:
                    tries += 1
                    self._last = error
                    if not isinstance(error, _MAY_PASS) or tries >= _TRIES:
                        return
                    await asyncio.sleep(_FIRST_PAUSE * 2 ** (tries - 1))
                    continue
            tally.sessions += 1
            tally.most_sessions = max(tally.sessions, tally.most_sessions)
            moved = tally.moved
            self._links.append(link)
            try:
                await self._lanes(link.remote)
                await asyncio.Event().wait()  # the session may be needed at the very end
            except SessionLost:
                tally.lost += 1
                self._last = await link.child.failure()
                tries = 0 if tally.moved > moved else tries + 1
                if tries >= _TRIES:
                    return
            finally:
                tally.sessions -= 1
                self._links.remove(link)
                for file in self._files:
                    file.lose(link.remote)
                await link.end()
                link = None

    async def _lanes(self, remote: Remote) -> None:
        board = self._board
        lanes = [asyncio.create_task(self._lane(remote, board.next_piece)) for _ in range(_PIECES_AT_ONCE)]
        lanes += [asyncio.create_task(self._lane(remote, board.next_file)) for _ in range(_FILES_AT_ONCE)]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(self, remote: Remote, take: Next) -> None:
        while (work := await take()) is not None:
            try:
                await work.do(remote)
            except (SessionLost, asyncio.CancelledError, NoSpace):
                self._board.put_back(work)
                raise
            except SmSshError as error:
                self._board.failed(work, error)
            else:
                self._board.done(work)
