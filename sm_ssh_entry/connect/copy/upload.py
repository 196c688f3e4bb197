"""One file to a node."""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import Iterator

from sm_ssh_entry.connect.copy import failures, packets
from sm_ssh_entry.connect.copy.attributes import Attributes
from sm_ssh_entry.connect.copy.onefile import Job, OneFile
from sm_ssh_entry.connect.copy.plan import Copy
from sm_ssh_entry.connect.copy.remote import Refused, Remote
from sm_ssh_entry.connect.copy.spans import Span

# Nobody else reads a copy before it has its own mode.
_PARTIAL_MODE = 0o600


class Upload(OneFile):
    """A file of this machine on its way to a node."""

    def __init__(self, copy: Copy, job: Job) -> None:
        super().__init__(copy, job)
        self._beginning = asyncio.Lock()

    async def _handle(self, remote: Remote) -> bytes:
        async with self._beginning:
            try:
                if self._file is None:
                    self._file = open(self.copy.found.source, "rb", buffering=0)  # noqa: ASYNC230, SIM115
            except OSError as error:
                raise failures.here(error, self.copy.found.source) from error
            if remote not in self._handles:
                flags = packets.OPEN_WRITE | packets.OPEN_CREATE | (0 if self._begun else packets.OPEN_TRUNCATE)
                try:
                    self._handles[remote] = await remote.open(self.copy.partial, flags, _PARTIAL_MODE)
                except Refused as error:
                    raise await self._not_written(error, remote) from error
                self._begun = True
            return self._handles[remote]

    async def _move(self, remote: Remote, handle: bytes, span: Span) -> None:
        try:
            await remote.write(handle, self._parts(span, remote.write_bytes), self._arrived, self.copy.to)
        except Refused as error:
            raise await self._not_written(error, remote) from error

    def _parts(self, span: Span, length: int) -> Iterator[tuple[int, bytes]]:
        at, end = span
        source = self.copy.found.source
        while at < end:
            try:
                assert self._file is not None  # noqa: S101 - _handle has opened it
                self._file.seek(at)
                data = self._file.read(min(length, end - at))
            except OSError as error:
                raise failures.here(error, source) from error
            if not data:
                raise failures.changed(source)
            yield at, data
            at += len(data)

    async def _settle(self, remote: Remote) -> bool:
        found, partial, to = self.copy.found, self.copy.partial, self.copy.to
        self._hold_still()
        try:
            try:
                there = await remote.stat(partial)
            except Refused as error:
                # A session that broke may have done its work before.
                if error.code == packets.NO_SUCH_FILE and await self._is_there(remote, to, seconds=found.seconds):
                    return True
                raise
            same = there.size == found.size and await self._verify(remote, found.source, partial)
            if same is False:
                self._hold_still()
                await remote.remove(partial)
                raise self._differs()
            times = (found.seconds, found.seconds)
            await remote.set(partial, Attributes(permissions=found.mode, times=times))
            await remote.replace(partial, to)
        except Refused as error:
            raise await self._not_written(error, remote) from error
        return True

    def _hold_still(self) -> None:
        """Check that the source is what it was when it was looked at.

        Raises:
            SmSshError: it is not, and this copy is to be exact.
        """
        found = self.copy.found
        try:
            now = os.stat(found.source)  # noqa: PTH116
        except OSError as error:
            raise failures.here(error, found.source) from error
        if (now.st_size, now.st_mtime_ns) != (found.size, found.changed) and self.job.checksums is not None:
            raise failures.changed(found.source)

    async def _is_there(self, remote: Remote, path: str, *, least: int = -1, seconds: int = -1) -> bool:
        try:
            about = await remote.find(path)
        except Refused:
            return False
        if about is None or about.size is None or not about.is_file:
            return False
        enough = about.size >= least if least >= 0 else about.size == self.size
        return enough and seconds in (-1, about.changed)

    async def _not_written(self, error: Refused, remote: Remote) -> Exception:
        refusal = Refused(error.code, error.message, self.copy.to)
        return await failures.of_write(refusal, remote, posixpath.dirname(self.copy.to), self.job.host)
