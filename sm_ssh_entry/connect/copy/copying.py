"""A whole copy, in order: first session, plan, room on the disk, folders, files, the folders' times."""
# Paths stay texts as they were written: Path takes dots and last slashes away.
# ruff: noqa: PTH100, PTH112, PTH120

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.copy import failures, folders, journal, plan, streams
from sm_ssh_entry.connect.copy.arguments import Order
from sm_ssh_entry.connect.copy.checksum import Checksums
from sm_ssh_entry.connect.copy.crew import Crew
from sm_ssh_entry.connect.copy.dial import Link, Route
from sm_ssh_entry.connect.copy.download import Download
from sm_ssh_entry.connect.copy.journal import Journal
from sm_ssh_entry.connect.copy.onefile import Job, OneFile
from sm_ssh_entry.connect.copy.plan import Plan
from sm_ssh_entry.connect.copy.remote import Refused, Remote, SessionLost
from sm_ssh_entry.connect.copy.shown import shown, size
from sm_ssh_entry.connect.copy.tally import Tally
from sm_ssh_entry.connect.copy.upload import Upload
from sm_ssh_entry.errors import NoSpace, SessionFailed

# A session costs half a second to open and the node 33 MB of memory; what a node sends is paced in each by itself, what
# it gets is not. One more for each so many bytes, or files, up to the most.
_MOST_DOWN = 8
_MOST_UP = 4
_SESSION_BYTES = 2 << 20
_SESSION_FILES = 200
# Up to here, to read the copies back is quicker than to ask the node's shell.
_READ_BACK_BYTES = 1 << 20
_READ_BACK_FILES = 16
_TICK_SECONDS = 0.2
_RESUMES_AT_ONCE = 64


@dataclass(frozen=True)
class Options:
    """How it is to be done.

    Attributes:
        parallel: sessions; 0: as many as suit the size.
        verify: whether SHA-256 of both sides must be the same.
        follow: also copy what links that lead out of a folder point to.
        by_bucket: whether long files go by way of a bucket.
        bucket: its name; ``""``: SageMaker's own.
        prefix: what keys in it begin with.
    """

    parallel: int = 0
    verify: bool = True
    follow: bool = False
    by_bucket: bool = False
    bucket: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class Watcher:
    """Who looks on.

    Attributes:
        tell: takes a line for the user.
        show: called several times a second while bytes move.
    """

    tell: Callable[[str], None]
    show: Callable[[Tally], None]


def run(order: Order, reach: Reach, options: Options, watcher: Watcher) -> Tally:
    """Copy.

    Args:
        order: what.
        reach: how to get to the node.
        options: how.
        watcher: who looks on.

    Raises:
        SmSshError: nothing could be copied, or not all; files that failed by themselves are in the tally instead.
    """
    words = ["up" if order.up else "down", order.target.user, order.target.host, *_absolute(order)]
    with journal.opened(words) as kept:
        return asyncio.run(_Copying(order, Route(order.target, reach), options, watcher, kept).run())


class _Copying:
    def __init__(self, order: Order, route: Route, options: Options, watcher: Watcher, kept: Journal) -> None:
        self._order, self._route, self._options, self._watcher, self._kept = order, route, options, watcher, kept
        self._tally = Tally()

    async def run(self) -> Tally:
        link = await self._route.sftp()
        try:
            try:
                return await self._run(link)
            except SessionLost as error:
                raise SessionFailed(f"the session broke: {error}", hint=failures.AGAIN) from error
        finally:
            await link.end()

    async def _run(self, link: Link) -> Tally:
        order, options, tally = self._order, self._options, self._tally
        if order.streams:
            tally.files = 1
            with self._shown():
                await (streams.send if order.up else streams.receive)(order, link.remote, tally)
            tally.done = 1
            return tally
        make = plan.upload if order.up else plan.download
        planned = await make(order, link.remote, follow=options.follow)
        tally.files, tally.bytes = len(planned.files), planned.bytes
        tally.skipped, tally.failures = planned.skipped, planned.failures
        quick = tally.bytes <= _READ_BACK_BYTES and tally.files <= _READ_BACK_FILES
        checksums = Checksums(self._route, read_back=quick) if options.verify else None
        job = Job(order.target.host, self._kept, tally, self._watcher.tell, checksums, _umask())
        files: list[OneFile] = [(Upload if order.up else Download)(copy, job) for copy in planned.files]
        left = await self._left(files, link.remote)
        await self._check_room(planned, link.remote)
        if order.up:
            await folders.make_there(planned, link.remote, order.target.host)
        else:
            folders.make_here(planned)

        async def close(remote: Remote) -> None:
            if order.up:
                await folders.finish_there(planned, remote)
            else:
                folders.finish_here(planned, job.umask)

        with self._shown():
            try:
                if options.by_bucket:
                    left = await self._by_bucket(left, link.remote, job)
                if left:
                    await Crew(self._route, left, job, self._sessions(left)).run(link, close)
                else:
                    await close(link.remote)
            finally:
                if checksums is not None:
                    await checksums.end()
        if checksums is not None and checksums.impossible:
            self._watcher.tell(f"only sizes were compared, not SHA-256: {checksums.impossible}")
        if not tally.failures:
            self._kept.finish()
        return tally

    async def _by_bucket(self, files: list[OneFile], remote: Remote, job: Job) -> list[OneFile]:
        """Copy the long files by way of a bucket; return the others: those are as quick by a session."""
        long = [file for file in files if not file.is_small]
        for file in long:
            file.forget_pieces()
        if long:
            from sm_ssh_entry.connect.copy.bucket import Bucket
            from sm_ssh_entry.connect.copy.bucket_moves import BucketMoves
            from sm_ssh_entry.connect.copy.bucket_node import BucketNode

            access = self._route.reach.towards(self._order.target)
            bucket = await asyncio.to_thread(Bucket, access, self._options.bucket, self._options.prefix)
            node = BucketNode(self._route)
            try:
                await node.begin()
                await BucketMoves(bucket, node, remote, job, up=self._order.up).run(long)
            finally:
                await node.end()
        return [file for file in files if file.is_small]

    async def _left(self, files: list[OneFile], remote: Remote) -> list[OneFile]:
        """Return the files that an earlier run has not brought to their places."""
        known = [file for file in files if file.copy.to in self._kept.entries]
        ready: set[OneFile] = set()
        for first in range(0, len(known), _RESUMES_AT_ONCE):
            some = known[first : first + _RESUMES_AT_ONCE]
            there = await asyncio.gather(*(file.resume(remote) for file in some))
            ready |= {file for file, is_there in zip(some, there, strict=True) if is_there}
        if ready:
            self._watcher.tell(f"{len(ready)} of {len(files)} files are there already")
            self._tally.done += len(ready)
        return [file for file in files if file not in ready]

    async def _check_room(self, planned: Plan, remote: Remote) -> None:
        """Refuse at once what cannot fit.

        Raises:
            NoSpace: it cannot.
        """
        needed = self._tally.bytes - self._tally.resumed
        places = [copy.to for copy in (*planned.folders, *planned.files)]
        if not places or not needed:
            return
        folder, side, free = os.path.dirname(places[0]), "this machine", None
        if self._order.up:
            side = self._order.target.host
            while folder not in ("", "/") and await self._missing(remote, folder):
                folder = os.path.dirname(folder)
            free = await remote.free_bytes(folder)
        else:
            free = _free_here(folder)
        if free is not None and free < needed:
            raise NoSpace(
                f"the disk of {side} has {size(free)} left at {shown(folder)}, and {size(needed)} are to come",
                hint="make room first",
            )

    async def _missing(self, remote: Remote, folder: str) -> bool:
        with contextlib.suppress(Refused):
            return await remote.find(folder) is None
        return True

    def _sessions(self, left: list[OneFile]) -> int:
        """Return how many sessions suit what is left."""
        if self._options.parallel:
            return self._options.parallel
        count = sum(last - first for file in left for first, last in file.todo)
        return min(
            _MOST_UP if self._order.up else _MOST_DOWN, 1 + max(count // _SESSION_BYTES, len(left) // _SESSION_FILES)
        )

    @contextlib.contextmanager
    def _shown(self) -> Iterator[None]:
        async def tick() -> None:
            while True:
                self._watcher.show(self._tally)
                await asyncio.sleep(_TICK_SECONDS)

        ticking = asyncio.create_task(tick())
        try:
            yield
        finally:
            ticking.cancel()
            self._watcher.show(self._tally)


def _absolute(order: Order) -> list[str]:
    """Return sources and destination so that they are the same wherever the command is given."""
    if order.up:
        return [*(os.path.abspath(source) for source in order.sources), order.to]
    return [*order.sources, os.path.abspath(order.to)]


def _free_here(folder: str) -> int | None:
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        return shutil.disk_usage(folder or ".").free
    except OSError:
        return None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
