"""A command that runs while ports are forwarded: ``forward NAME 8888 -- COMMAND``."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence

from sm_ssh_entry import command

#: The local port of the first specification; with ``_1``, ``_2``, … of each.
PORT = "SM_SSH_FORWARD_PORT"


def environment(ports: Sequence[int]) -> dict[str, str]:
    """Return the variables that tell a command the local ports, in the order of the specifications."""
    each = {f"{PORT}_{number}": str(port) for number, port in enumerate(ports, 1)}
    return {PORT: str(ports[0]), **each}


async def run(argv: Sequence[str], extra: Mapping[str, str], stop: asyncio.Future[int]) -> int:
    """Run a command to its end and return its status as a shell reports it.

    Args:
        argv: program and arguments.
        extra: variables beside ours.
        stop: done when it is to end.

    Raises:
        ToolMissing: the program is not there.
    """
    child = await command.spawn_async(argv, env={**os.environ, **extra})
    ending = asyncio.ensure_future(child.wait())
    await asyncio.wait({ending, stop}, return_when=asyncio.FIRST_COMPLETED)
    if not ending.done():
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
    return command.shell_status(await ending)
