"""Long files by way of a bucket: they get into their partial files so, and all that follows is as ever."""

from __future__ import annotations

import asyncio
import posixpath
import threading
from collections.abc import Awaitable, Callable, Sequence

from sm_ssh_entry.connect.copy import failures
from sm_ssh_entry.connect.copy.bucket import Bucket
from sm_ssh_entry.connect.copy.bucket_node import BucketNode
from sm_ssh_entry.connect.copy.onefile import Job, OneFile
from sm_ssh_entry.connect.copy.remote import Remote
from sm_ssh_entry.errors import NoSpace, SmSshError

_FILES_AT_ONCE = 4
_TRIES = 3


class BucketMoves:
    """Moves long files.

    Args:
        bucket: the bucket.
        node: the loop on the node.
        remote: a session, for all but the bytes.
        job: what the files share.
        up: whether they go to the node.
    """

    def __init__(self, bucket: Bucket, node: BucketNode, remote: Remote, job: Job, *, up: bool) -> None:
        self._bucket, self._node, self._remote, self._job, self._up = bucket, node, remote, job, up
        self._stop = threading.Event()
        self._room = asyncio.Semaphore(_FILES_AT_ONCE)

    async def run(self, files: Sequence[OneFile]) -> None:
        """Move them; what fails by itself is counted in the tally.

        Raises:
            NoSpace: a disk is full.
        """
        moving = [asyncio.create_task(self._one(file)) for file in files]
        try:
            await asyncio.gather(*moving)
        finally:
            self._stop.set()
            for task in moving:
                task.cancel()
            await asyncio.gather(*moving, return_exceptions=True)
            left = self._bucket.clear()  # at once, whatever has happened
            if left:
                self._job.tell(f"could not remove from {self._bucket.name}: {', '.join(left)}")

    async def _one(self, file: OneFile) -> None:
        async with self._room:
            key = self._bucket.key()
            try:
                await (self._send if self._up else self._fetch)(file, key)
                file.arrived_by_other_ways()
                await file.finish(self._remote)
            except NoSpace:
                raise
            except SmSshError as error:
                file.give_up()
                self._job.tally.failures.append(error)
            finally:
                await asyncio.to_thread(self._remove, key)

    async def _send(self, file: OneFile, key: str) -> None:
        await self._move("upload", file.copy.found.source, key)
        await self._repeat(lambda: self._node.move("get", file.copy.partial, 0, 0, self._bucket.address(key)), file)

    async def _fetch(self, file: OneFile, key: str) -> None:
        parts = await asyncio.to_thread(self._bucket.addresses, key, file.size, whole=not self._node.knows_parts)
        source = file.copy.found.source

        async def send(part: tuple[int, int, str]) -> str:
            return await self._repeat(lambda: self._node.move("put", source, *part), file)

        tags = await asyncio.gather(*(send(part) for part in parts))
        await asyncio.to_thread(self._bucket.join, key, tags)
        await self._move("download", file.copy.partial, key)

    async def _move(self, way: str, path: str, key: str) -> None:
        loop = asyncio.get_running_loop()

        def moved(count: int) -> None:
            loop.call_soon_threadsafe(self._count, count)

        try:
            await asyncio.to_thread(self._bucket.move, way, path, key, moved, self._stop)
        except OSError as error:
            raise failures.here(error, path) from error

    async def _repeat(self, move: Callable[[], Awaitable[str]], file: OneFile) -> str:
        """Let the node try a few times: a single failure of a bucket is nothing unusual."""
        left = _TRIES
        while True:
            left -= 1
            try:
                return await move()
            except SmSshError as error:
                free = await self._remote.free_bytes(posixpath.dirname(file.copy.to)) if self._up else None
                if free is not None and free < file.size and "space" in error.message:
                    raise failures.full(self._job.host, posixpath.dirname(file.copy.to)) from error
                if not left:
                    raise

    def _count(self, count: int) -> None:
        self._job.tally.moved += count

    def _remove(self, key: str) -> None:
        try:
            self._bucket.remove(key)
        except SmSshError:
            return  # tried again at the end
