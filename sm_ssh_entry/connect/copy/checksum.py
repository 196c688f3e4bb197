"""SHA-256 of files on a node: one ``ssh`` with a small loop of its shell, which is told paths and answers with sums."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shlex
import threading
from collections import deque
from typing import Any

from sm_ssh_entry.connect.copy import packets
from sm_ssh_entry.connect.copy.dial import Child, Route
from sm_ssh_entry.connect.copy.remote import Remote, raw
from sm_ssh_entry.errors import KeyRefused, SessionFailed

# Paths come in by standard input, each byte that is not plain as an octal escape, so that a line is a path whatever
# is in it. The underscore keeps $(...) from dropping line ends.
_SCRIPT = """
LC_ALL=C; export LC_ALL
ours="${SM_SSH_ROOT:-}/opt/sm-ssh/bin/python"
if command -v sha256sum >/dev/null 2>&1; then sum() { sha256sum; }
elif command -v openssl >/dev/null 2>&1; then sum() { openssl dgst -sha256 -r; }
elif [ -x "$ours" ]; then sum() { "$ours" -I -c 'import hashlib,sys
h=hashlib.sha256()
for b in iter(lambda:sys.stdin.buffer.read(1<<20),b""): h.update(b)
print(h.hexdigest())'; }
else echo none; exit 0
fi
echo ready
while IFS= read -r line; do
path=$(printf '%b_' "$line"); path=${path%_}
{ sum <"$path"; } 2>/dev/null || echo failed
done
"""
_SUM = re.compile(rb"([0-9a-f]{64})\b")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
_TRIES = 3
_PIECE = 1 << 20


class _Loop:
    """The loop on the node: questions go out as they come, answers come back in the same order."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._over = False
        self._reading = asyncio.create_task(self._read())

    async def ask(self, path: str) -> bytes:
        """Return the answer to a path.

        Raises:
            OSError: the loop is over.
        """
        if self._over:
            raise ConnectionError
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiting.append(future)
        self._child.outgoing.write(escaped(path))
        return await future

    async def end(self) -> None:
        """End it; whoever waits is told."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._child.end()

    async def _read(self) -> None:
        try:
            while (line := await self._child.incoming.readline()).endswith(b"\n"):
                if self._waiting:
                    future = self._waiting.popleft()
                    if not future.done():
                        future.set_result(line)
        finally:
            self._over = True
            for future in self._waiting:
                if not future.done():
                    future.set_exception(ConnectionError("the loop is over"))


class Checksums:
    """Asks the node. Many may ask at once; the node answers one after another.

    Args:
        route: the way to the node.
        read_back: read files again through the session that copied them instead: quicker where they are few and small.
    """

    def __init__(self, route: Route, *, read_back: bool) -> None:
        #: Why no sum can be had, in words; ``""``: as far as is known, it can.
        self.impossible = ""
        self._route, self._read_back = route, read_back
        self._loop: _Loop | None = None
        self._starting = asyncio.Lock()

    async def of(self, remote: Remote, path: str, size: int) -> str | None:
        """Return the sum of a file in hexadecimal; None: the node cannot tell.

        Args:
            remote: a session, for ``read_back``.
            path: of the file, from the root.
            size: its bytes.

        Raises:
            SessionFailed: the node can, but the way to it broke again and again.
        """
        if self._read_back:
            return await self._read(remote, path, size)
        for _ in range(_TRIES):
            loop: _Loop | None = None
            try:
                loop = await self._ready()
                if loop is None:
                    return None
                found = _SUM.match(await loop.ask(path))
            except OSError:
                await self._drop(loop)
            else:
                return found[1].decode() if found else None
        raise SessionFailed("the node could not be asked for checksums", hint="try again, or --no-verify")

    async def end(self) -> None:
        """End the loop on the node."""
        await self._drop(self._loop)

    async def _ready(self) -> _Loop | None:
        async with self._starting:
            if self._loop is None and not self.impossible:
                child = await self._route.shell(f"exec sh -c {shlex.quote(_SCRIPT)}")
                try:
                    said = (await child.incoming.readline()).strip()
                    if said == b"ready":
                        self._loop = _Loop(child)
                        return self._loop
                    reason = None if said == b"none" else await child.failure()
                except BaseException:
                    await child.end()
                    raise
                await child.end()
                # A key whose passphrase only its owner knows opens the first session; nobody is asked again.
                if reason is not None and not isinstance(reason, KeyRefused):
                    raise ConnectionError(reason.message)
                self.impossible = reason.message if reason else "the node has neither sha256sum nor openssl"
            return self._loop

    async def _drop(self, loop: _Loop | None) -> None:
        """End a loop, once."""
        if loop is not None and loop is self._loop:
            self._loop = None
            await loop.end()

    async def _read(self, remote: Remote, path: str, size: int) -> str:
        digest = hashlib.sha256()
        handle = await remote.open(path, packets.OPEN_READ)
        try:
            await remote.read(handle, (0, size), lambda _, data: digest.update(data), path)
        finally:
            remote.forget(handle)
        return digest.hexdigest()


def escaped(path: str) -> bytes:
    """Return a path as a line for ``printf %b``."""
    return b"".join(bytes([byte]) if byte in _PLAIN else b"\\0%03o" % byte for byte in raw(path)) + b"\n"


async def of_local(path: str) -> str:
    """Return the sum of a file of this machine; in a thread, which stops when nobody waits any more.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be read.
    """
    stop = threading.Event()
    try:
        return await asyncio.to_thread(_sum, path, stop)
    finally:
        stop.set()


def _sum(path: str, stop: threading.Event) -> str:
    digest: Any = hashlib.sha256()
    with contextlib.closing(open(path, "rb", buffering=0)) as file:
        while not stop.is_set() and (data := file.read(_PIECE)):
            digest.update(data)
    return str(digest.hexdigest())
