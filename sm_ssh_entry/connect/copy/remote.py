"""One SFTP session: many requests under way at once over a pair of byte streams, usually those of an ``ssh``."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from sm_ssh_entry.connect.copy import conversation, packets
from sm_ssh_entry.connect.copy.attributes import Attributes
from sm_ssh_entry.connect.copy.fields import ProtocolError, string
from sm_ssh_entry.connect.copy.packets import Packet
from sm_ssh_entry.connect.copy.shown import shown

# What every server takes in one request (draft, section 3), and as much as we ask for where a server takes more.
_SURE_BYTES = 32 * 1024
_CHUNK_BYTES = 64 * 1024
# Bytes that one transfer has under way: at 100 ms there and back that is 10 MB/s for each of several.
_AHEAD_BYTES = 1 << 20
_PIECE = 1 << 18

R = TypeVar("R", bound=Packet)


class SessionLost(Exception):
    """The session is over; what it was asked may or may not have happened."""


class Refused(Exception):
    """The server said no.

    Args:
        code: of the draft, section 7; OpenSSH says ``FAILURE`` for everything that has none.
        message: its words.
        path: what was asked for.
    """

    def __init__(self, code: int, message: str, path: str) -> None:
        super().__init__(f"{path}: {message}")
        self.code, self.message, self.path = code, message, path


class Incoming(Protocol):
    """Bytes from the server; a part of ``asyncio.StreamReader``."""

    async def read(self, count: int) -> bytes:
        """Return up to ``count`` bytes, none at the end."""


class Outgoing(Protocol):
    """Bytes to the server; a part of ``asyncio.StreamWriter``."""

    def write(self, data: bytes) -> None:
        """Queue bytes."""

    async def drain(self) -> None:
        """Wait until there is room again."""


class Remote:
    """A session. Paths are text; bytes of a name that are no UTF-8 stand in it as lone surrogates.

    Args:
        incoming: from the server.
        outgoing: to it.
    """

    def __init__(self, incoming: Incoming, outgoing: Outgoing) -> None:
        #: Bytes of one request to read and to write.
        self.read_bytes = self.write_bytes = _SURE_BYTES
        self._in, self._out = incoming, outgoing
        self._talk = conversation.Conversation()
        self._waiting: dict[int, asyncio.Future[Packet]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost: BaseException | None = None
        self._draining = asyncio.Lock()
        self._reading = asyncio.create_task(self._read_forever())

    async def begin(self) -> None:
        """Agree on the version and ask for limits.

        Raises:
            SessionLost: nobody answered, or no SFTP server.
        """
        await self._put(self._talk.begin())
        await asyncio.shield(self._ready)
        if self._talk.has(packets.LIMITS):
            with contextlib.suppress(Refused, ProtocolError):
                reply = await self.ask(packets.Extended(packets.LIMITS, b""), packets.ExtendedReply)
                _longest, reading, writing, _handles = conversation.limits(reply)
                self.read_bytes = min(reading or _SURE_BYTES, _CHUNK_BYTES)
                self.write_bytes = min(writing or _SURE_BYTES, _CHUNK_BYTES)

    async def end(self) -> None:
        """Stop reading; whoever waits for an answer is told that the session is lost."""
        self._reading.cancel()
        await asyncio.wait({self._reading})

    def send(self, request: Packet) -> asyncio.Future[Packet]:
        """Send a request and return what its answer will be put into.

        Raises:
            SessionLost: there is nobody to send it to.
        """
        if self._lost is not None:
            raise SessionLost(str(self._lost))
        number, data = self._talk.ask(request)
        future: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        # Who gives up waiting leaves failed answers behind, and nobody need be told of them.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiting[number] = future
        self._out.write(data)
        return future

    async def ask(self, request: Packet, expected: type[R], *, path: str = "") -> R:
        """Send a request and wait for its answer.

        Args:
            request: what is asked.
            expected: kind of the answer.
            path: for the message of a refusal.

        Raises:
            Refused: the server said no.
            SessionLost: the session is over.
        """
        future = self.send(request)
        await self._drain()
        return _answer(await future, expected, path)

    async def stat(self, path: str) -> Attributes:
        """Return the attributes of what a path leads to."""
        return (await self.ask(packets.Stat(raw(path)), packets.Attrs, path=path)).attributes

    async def lstat(self, path: str) -> Attributes:
        """Return the attributes of a path, of a link its own."""
        return (await self.ask(packets.Lstat(raw(path)), packets.Attrs, path=path)).attributes

    async def find(self, path: str) -> Attributes | None:
        """Return the attributes of what a path leads to, None where there is nothing."""
        try:
            return await self.stat(path)
        except Refused as error:
            if error.code == packets.NO_SUCH_FILE:
                return None
            raise

    async def realpath(self, path: str) -> str:
        """Return the whole path, links followed."""
        names = (await self.ask(packets.Realpath(raw(path)), packets.Names, path=path)).names
        if len(names) != 1:
            raise Refused(packets.BAD_MESSAGE, "the server gives no path", path)
        return text(names[0].name)

    async def entries(self, path: str) -> list[tuple[str, Attributes]]:
        """Return the names in a folder with their own attributes, without ``.`` and ``..``.

        Raises:
            Refused: it cannot be read, or the server gives a name that is none: it would lead elsewhere.
        """
        handle = (await self.ask(packets.Opendir(raw(path)), packets.Handle, path=path)).handle
        found: dict[str, Attributes] = {}
        try:
            while True:
                for one in (await self.ask(packets.Readdir(handle), packets.Names, path=path)).names:
                    name = text(one.name)
                    if not name or "/" in name or "\0" in name:
                        raise Refused(packets.BAD_MESSAGE, f"the server gives the name {shown(name)!r}", path)
                    found[name] = one.attributes
        except Refused as error:
            if error.code != packets.END_OF_FILE:
                raise
        finally:
            self.forget(handle)
        return sorted((name, attributes) for name, attributes in found.items() if name not in (".", ".."))

    async def open(self, path: str, flags: int, mode: int | None = None) -> bytes:
        """Open a file and return its handle.

        Args:
            path: of the file.
            flags: ``packets.OPEN_…``.
            mode: of a file that is made.
        """
        request = packets.Open(raw(path), flags, Attributes(permissions=mode))
        return (await self.ask(request, packets.Handle, path=path)).handle

    async def close(self, handle: bytes, path: str) -> None:
        """Close a handle; a server may report only now that a disk was full."""
        await self.ask(packets.Close(handle), packets.Status, path=path)

    def forget(self, handle: bytes) -> None:
        """Close a handle and wait for nothing."""
        with contextlib.suppress(SessionLost):
            self.send(packets.Close(handle))

    async def set(self, path: str, attributes: Attributes) -> None:
        """Set attributes of a path."""
        await self.ask(packets.Setstat(raw(path), attributes), packets.Status, path=path)

    async def mkdir(self, path: str, mode: int | None) -> None:
        """Make a folder."""
        await self.ask(packets.Mkdir(raw(path), Attributes(permissions=mode)), packets.Status, path=path)

    async def remove(self, path: str) -> None:
        """Remove a file."""
        await self.ask(packets.Remove(raw(path)), packets.Status, path=path)

    async def replace(self, old: str, new: str) -> None:
        """Rename a file, over another if need be: at once where the server can, else after removing it."""
        if self._talk.has(packets.POSIX_RENAME):
            data = string(raw(old)) + string(raw(new))
            await self.ask(packets.Extended(packets.POSIX_RENAME, data), packets.Status, path=new)
            return
        with contextlib.suppress(Refused):
            await self.remove(new)
        await self.ask(packets.Rename(raw(old), raw(new)), packets.Status, path=new)

    async def free_bytes(self, folder: str) -> int | None:
        """Return how much the disk of a folder takes, None where the server cannot say."""
        if not self._talk.has(packets.STATVFS):
            return None
        request = packets.Extended(packets.STATVFS, string(raw(folder)))
        try:
            return conversation.free_bytes(await self.ask(request, packets.ExtendedReply, path=folder))
        except (Refused, ProtocolError):
            return None

    async def read(self, handle: bytes, span: tuple[int, int], take: Callable[[int, bytes], None], path: str) -> None:
        """Read a part of a file, many requests at once.

        Args:
            handle: of the file.
            span: first byte, and the one after the last.
            take: called with offset and bytes, in order.
            path: for messages.

        Raises:
            Refused: with ``END_OF_FILE``: the file has become shorter.
        """
        at, end = span
        ahead: deque[tuple[int, int, asyncio.Future[Packet]]] = deque()
        while at < end or ahead:
            while at < end and len(ahead) * self.read_bytes < _AHEAD_BYTES:
                length = min(self.read_bytes, end - at)
                ahead.append((at, length, self.send(packets.Read(handle, at, length))))
                at += length
            await self._drain()
            offset, length, future = ahead.popleft()
            data = _answer(await future, packets.Data, path).data
            take(offset, data)
            if len(data) < length:
                offset, length = offset + len(data), length - len(data)
                ahead.appendleft((offset, length, self.send(packets.Read(handle, offset, length))))

    async def write(
        self, handle: bytes, parts: Iterator[tuple[int, bytes]], wrote: Callable[[int, int], None], path: str
    ) -> None:
        """Write parts of a file, many requests at once.

        Args:
            handle: of the file.
            parts: offset and bytes of each, no longer than ``write_bytes``.
            wrote: called with offset and length of what the server has confirmed.
            path: for messages.
        """
        ahead: deque[tuple[int, int, asyncio.Future[Packet]]] = deque()

        async def confirm() -> None:
            offset, length, future = ahead.popleft()
            _answer(await future, packets.Status, path)
            wrote(offset, length)

        for offset, data in parts:
            ahead.append((offset, len(data), self.send(packets.Write(handle, offset, data))))
            await self._drain()
            while len(ahead) * self.write_bytes >= _AHEAD_BYTES or (ahead and ahead[0][2].done()):
                await confirm()
        while ahead:
            await confirm()

    async def _put(self, data: bytes) -> None:
        self._out.write(data)
        await self._drain()

    async def _drain(self) -> None:
        try:
            async with self._draining:  # before Python 3.11 one at a time may wait
                await self._out.drain()
        except OSError as error:
            raise SessionLost(str(error)) from error

    async def _read_forever(self) -> None:
        reason: BaseException = ConnectionError("the session has ended")
        try:
            while data := await self._in.read(_PIECE):
                for number, reply in self._talk.receive(data):
                    waiting = self._waiting.pop(number)
                    if not waiting.done():
                        waiting.set_result(reply)
                if self._talk.version is not None and not self._ready.done():
                    self._ready.set_result(None)
        except (OSError, ProtocolError) as error:
            reason = error
        finally:
            self._lost = reason
            lost = SessionLost(str(reason))
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(lost)
            self._waiting.clear()
            if not self._ready.done():
                self._ready.set_exception(lost)
                self._ready.exception()  # asked for, so that nobody complains where nobody waited


def _answer(reply: Packet, expected: type[R], path: str) -> R:
    if isinstance(reply, packets.Status) and (reply.code != packets.OK or expected is not packets.Status):
        raise Refused(reply.code, shown(reply.message) or f"status {reply.code}", path)
    assert isinstance(reply, expected)  # noqa: S101 - Conversation lets nothing else pass
    return reply


def raw(path: str) -> bytes:
    """Return a path as the server knows it."""
    return path.encode("utf-8", "surrogateescape")


def text(name: bytes) -> str:
    """Return a server's name as text."""
    return name.decode("utf-8", "surrogateescape")


def join(folder: str, *names: str) -> str:
    """Put a node's path together."""
    return posixpath.join(folder, *names)
