"""Nodes for tests of copies: the system's own ``sftp-server`` on pipes, and one whose answers a test writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.copy import packets
from sm_ssh_entry.connect.copy.dial import Child, Link, Route
from sm_ssh_entry.connect.copy.packets import Packet
from sm_ssh_entry.connect.copy.remote import Remote
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.ssh_client import Notes

HOST = "job.training.sagemaker"
_PLACES = ("/usr/lib/openssh", "/usr/libexec/openssh", "/usr/libexec", "/usr/lib/ssh")
SFTP_SERVER = shutil.which("sftp-server", path=os.pathsep.join(_PLACES))


class LocalRoute(Route):
    """The way to this very machine: ``sftp-server`` and ``sh`` as they run behind an sshd, without one.

    Args:
        folder: where the processes begin, as in a home folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(Target(kind="training", resource="job"), Reach())
        self.folder = folder
        self.children: list[Child] = []
        #: Errors that the next openings raise, and what is done with each session once it is open.
        self.refusals: list[Exception] = []
        self.opened: Callable[[Child], Awaitable[None]] | None = None

    async def sftp(self) -> Link:
        if self.refusals:
            raise self.refusals.pop(0)
        link = await super().sftp()
        if self.opened:
            await self.opened(link.child)
        return link

    async def _start(self, option: str, what: str) -> Child:
        assert SFTP_SERVER
        argv = [SFTP_SERVER] if option == "-s" else ["sh", "-c", what]
        notes = Path(tempfile.mkdtemp())
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder, limit=1 << 20
        )
        self.children.append(Child(process, Notes(notes)))
        return self.children[-1]


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Remote]:
    """Return a session with a real server that begins in a folder."""
    link = await LocalRoute(folder).sftp()
    try:
        yield link.remote
    finally:
        await link.end()


class Scripted:
    """A server whose answers a function makes.

    Args:
        answer: takes a request and returns the answer; None: no answer at all.
        extensions: that it announces.
    """

    def __init__(self, answer: Callable[[Packet], Packet | None], *extensions: bytes) -> None:
        self.seen: list[Packet] = []
        self._answer, self._extensions = answer, extensions
        self._out: asyncio.Queue[bytes] = asyncio.Queue()
        self._buffer = b""

    def write(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._buffer += data
        while len(self._buffer) >= 4 and len(self._buffer) - 4 >= int.from_bytes(self._buffer[:4], "big"):
            end = 4 + int.from_bytes(self._buffer[:4], "big")
            number, request = packets.decode(self._buffer[4:end])
            self._buffer = self._buffer[end:]
            if isinstance(request, packets.Init):
                said = tuple((name, b"1") for name in self._extensions)
                self._out.put_nowait(packets.Version(3, said).encode())
                continue
            self.seen.append(request)
            answer = self._answer(request)
            if answer is not None:
                self._out.put_nowait(answer.encode(number))

    def hang_up(self) -> None:
        """End the connection."""
        self._out.put_nowait(b"")

    async def drain(self) -> None:
        """There is always room."""

    async def read(self, count: int) -> bytes:
        """Return bytes for the client."""
        return await self._out.get()

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Remote]:
        """Return a session with it."""
        remote = Remote(self, self)
        await remote.begin()
        try:
            yield remote
        finally:
            await remote.end()


def run(work: Any) -> Any:
    """Run a coroutine to its end, or fail after a minute."""

    async def limited() -> Any:
        return await asyncio.wait_for(work, 180)

    return asyncio.run(limited())
