"""Copying between a program and its connection on the node, until both sides are done."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sm_ssh_entry.connect.forwarding import local
from sm_ssh_entry.connect.forwarding.local import Local


class Far(Protocol):
    """The node's end of one connection."""

    async def send(self, data: bytes) -> None:
        """Send what the program says; returns when there is room for more."""

    async def finish(self) -> None:
        """The program says no more."""


async def both_ways(
    near: Local, far: Far, lost: asyncio.Future[None], *, patience: float = local.HALF_CLOSED_SECONDS
) -> None:
    """Copy until the node's side has ended and been delivered, or either is gone; the program's connection is closed.

    Args:
        near: the program.
        far: the node.
        lost: done when the session is over: a connection whose end the node has not announced is then broken.
        patience: see ``local.HALF_CLOSED_SECONDS``.
    """
    down = asyncio.create_task(near.deliver())
    up = asyncio.create_task(_send(near, far, down, patience))
    try:
        whole = await _done(near, up, down, lost)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
    if whole:
        await near.linger()
        await near.close()
    else:
        near.reset()


async def _done(near: Local, up: asyncio.Task[None], down: asyncio.Task[None], lost: asyncio.Future[None]) -> bool:
    """Wait for the end; return whether the program was given everything."""
    waited: set[asyncio.Future[None]] = {up, down, lost}
    while not down.done():
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if up.done() and isinstance(up.exception(), OSError):
            return False  # The program is gone.
        if (lost.done() or (up.done() and up.exception() is not None)) and not near.finished:
            return False
        waited -= {one for one in (up, lost) if one.done()}
    return down.exception() is None


async def _send(near: Local, far: Far, down: asyncio.Task[None], patience: float) -> None:
    while data := await near.read():
        if not near.finished:
            await far.send(data)
    await near.quiet(down, patience)
    if not near.finished:
        await far.finish()
