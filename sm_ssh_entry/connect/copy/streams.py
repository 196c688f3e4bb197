"""Standard input to a file on a node, and a file on a node to standard output: in order, over one session."""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import Iterator

from sm_ssh_entry.connect.copy import failures, packets
from sm_ssh_entry.connect.copy.arguments import Order
from sm_ssh_entry.connect.copy.found import Found
from sm_ssh_entry.connect.copy.plan import Copy
from sm_ssh_entry.connect.copy.remote import Refused, Remote, join
from sm_ssh_entry.connect.copy.tally import Tally
from sm_ssh_entry.connect.stdio import make_binary
from sm_ssh_entry.errors import BadInput

_STDIN, _STDOUT = 0, 1
# What is read or written at once: long enough to keep a session busy, short enough to be held in memory.
_PIECE = 4 << 20


async def send(order: Order, remote: Remote, tally: Tally) -> None:
    """Copy standard input to a file, which gets its name when the input has ended.

    Args:
        order: what.
        remote: a session.
        tally: what is counted.

    Raises:
        SmSshError: it cannot be written.
    """
    make_binary(_STDIN)
    host = order.target.host
    try:
        to = join(await remote.realpath("."), order.to)
        there = await remote.find(to)
        if order.to.endswith("/") or (there is not None and there.is_folder):
            raise BadInput(f"{order.to} on {host} is a folder", hint="name the file that standard input becomes")
        partial = Copy(Found("", "", False, 0, 0, 0, None), to).partial
        handle = await remote.open(partial, packets.OPEN_WRITE | packets.OPEN_CREATE | packets.OPEN_TRUNCATE)
        at = 0
        while data := await asyncio.to_thread(os.read, _STDIN, _PIECE):
            await remote.write(handle, _parts(at, data, remote.write_bytes), lambda *_: None, to)
            at += len(data)
            tally.bytes = tally.moved = at
        await remote.close(handle, to)
        await remote.replace(partial, to)
    except Refused as error:
        raise await failures.of_write(error, remote, posixpath.dirname(to), host) from error


async def receive(order: Order, remote: Remote, tally: Tally) -> None:
    """Copy a file to standard output; arguments and errors as in ``send``."""
    make_binary(_STDOUT)
    host, source = order.target.host, order.sources[0]
    try:
        about = await remote.stat(source)
        if not about.is_file:
            raise BadInput(f"{source} on {host} is no file", hint="only a file can go to standard output")
        tally.bytes = about.size or 0
        handle = await remote.open(source, packets.OPEN_READ)
        for first in range(0, tally.bytes, _PIECE):
            pieces: list[bytes] = []
            last = min(first + _PIECE, tally.bytes)
            await remote.read(handle, (first, last), lambda _, data, to=pieces: to.append(data), source)  # type: ignore[misc]
            await asyncio.to_thread(_write, b"".join(pieces))
            tally.moved = last
        remote.forget(handle)
    except Refused as error:
        raise failures.there(error, host) from error


def _parts(at: int, data: bytes, length: int) -> Iterator[tuple[int, bytes]]:
    for first in range(0, len(data), length):
        yield at + first, data[first : first + length]


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(_STDOUT, view) :]
