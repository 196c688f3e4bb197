"""One file from a node."""

from __future__ import annotations

import contextlib
import os

from sm_ssh_entry.connect.copy import failures, packets
from sm_ssh_entry.connect.copy.onefile import OneFile
from sm_ssh_entry.connect.copy.remote import Refused, Remote
from sm_ssh_entry.connect.copy.spans import Span


class Download(OneFile):
    """A file of a node on its way to this machine."""

    async def _handle(self, remote: Remote) -> bytes:
        if remote not in self._handles:
            try:
                self._handles[remote] = await remote.open(self.copy.found.source, packets.OPEN_READ)
            except Refused as error:
                raise failures.there(error, self.job.host) from error
        if self._file is None:
            self._open_partial()
        return self._handles[remote]

    def _open_partial(self) -> None:
        # Nobody else reads a copy before it has its own mode, and nobody's link is followed.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            descriptor = os.open(self.copy.partial, flags | (0 if self._begun else os.O_TRUNC), 0o600)
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
        except OSError as error:
            raise failures.here(error, self.copy.to) from error
        self._begun = True

    async def _move(self, remote: Remote, handle: bytes, span: Span) -> None:
        try:
            await remote.read(handle, span, self._take, self.copy.found.source)
        except Refused as error:
            raise failures.there(error, self.job.host) from error

    def _take(self, offset: int, data: bytes) -> None:
        assert self._file is not None  # noqa: S101 - _handle has opened it
        view = memoryview(data)
        try:
            self._file.seek(offset)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise failures.here(error, self.copy.to) from error
        self._arrived(offset, len(data))

    async def _settle(self, remote: Remote) -> bool:
        found, partial, to = self.copy.found, self.copy.partial, self.copy.to
        try:
            same = await self._verify(remote, partial, found.source)
            about = await remote.stat(found.source)
        except Refused as error:
            raise failures.there(error, self.job.host) from error
        if (about.size, about.changed) != (found.size, found.changed) and self.job.checksums is not None:
            raise failures.changed(found.source)
        try:
            if same is False or os.path.getsize(partial) != found.size:  # noqa: PTH202, ASYNC240 - texts throughout
                os.unlink(partial)  # noqa: PTH108
                raise self._differs()
            if found.mode is not None and os.name != "nt":
                os.chmod(partial, found.mode & ~self.job.umask)  # noqa: PTH101
            os.utime(partial, (found.seconds, found.seconds))
            os.replace(partial, to)  # noqa: PTH105
        except OSError as error:
            raise failures.here(error, to) from error
        return True

    async def _is_there(self, remote: Remote, path: str, *, least: int = -1, seconds: int = -1) -> bool:  # noqa: ARG002
        with contextlib.suppress(OSError):
            about = os.lstat(path)
            enough = about.st_size >= least if least >= 0 else about.st_size == self.size
            return enough and seconds in (-1, int(about.st_mtime))
        return False
