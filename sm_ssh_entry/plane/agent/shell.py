"""A shell, or one command, in a terminal of its own: Standard_Stream and InteractiveCommands."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pwd
import struct
import termios
from collections.abc import Mapping
from typing import Any

from sm_ssh_entry.plane.agent.descriptors import Descriptor
from sm_ssh_entry.plane.agent.ending import Ending, SessionRefused
from sm_ssh_entry.plane.agent.link import Link
from sm_ssh_entry.plane.agent.processes import Children, Group
from sm_ssh_entry.wire.events import DataReceived, FlagReceived, SizeReceived
from sm_ssh_entry.wire.payloads import SessionFlag, Size

TERM = "xterm-256color"
FIRST_SIZE = Size(80, 24)
# The child leads a session (start_new_session); the first terminal that a session leader opens becomes its controlling
# one. A shell of three words does that without running Python code between fork and exec.
_TAKE_TERMINAL = 'exec "$@" <"$0" >"$0" 2>&1'


async def run(link: Link, properties: Mapping[str, Any] | None, children: Children) -> Ending:
    """Serve a terminal until its child ends or the client asks for the end.

    Args:
        link: the session's data channel.
        properties: None for a shell; ``linux.commands`` for a command.
        children: starts the child.
    """
    argv = _shell() if properties is None else ["/bin/sh", "-c", command_of(properties)]
    leader, follower = os.openpty()
    terminal = Descriptor(leader)
    with contextlib.ExitStack() as held:
        held.callback(terminal.close)
        # Ours until the child has ended: between its start and its opening of the terminal nobody else holds that open.
        held.callback(os.close, follower)
        set_size(leader, FIRST_SIZE.cols, FIRST_SIZE.rows)
        words = ["/bin/sh", "-c", _TAKE_TERMINAL, os.ttyname(follower), *argv]
        # What a user left running with nohup stays when the shell has ended, as it does after a login.
        environment = children.environment(TERM=TERM, HOME=_home())
        async with children.group(words, env=environment, keep=True) as group:
            return await _serve(link, terminal, group)


def command_of(properties: Mapping[str, Any]) -> str:
    """Return the command of a session document's properties.

    Raises:
        SessionRefused: there is none for Linux.
    """
    linux = properties.get("linux")
    found = linux.get("commands") if isinstance(linux, dict) else None
    if not isinstance(found, str) or not found.strip():
        raise SessionRefused("the session document names no command for Linux")
    return found


def set_size(descriptor: int, cols: int, rows: int) -> None:
    """Tell a terminal its size; who runs in it gets SIGWINCH."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


async def _serve(link: Link, terminal: Descriptor, group: Group) -> Ending:
    output = asyncio.create_task(_pump_output(link, terminal))
    input_ = asyncio.create_task(_pump_input(link, terminal))
    over = asyncio.create_task(group.process.wait())
    try:
        await asyncio.wait({over, input_}, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            # All that the child wrote is in the terminal now; a job that it left behind may hold that open for ever.
            terminal.finish()
            await output
            return Ending()
        input_.result()
        return Ending(wanted=False)
    finally:
        for task in (output, input_, over):
            task.cancel()
        await asyncio.gather(output, input_, over, return_exceptions=True)


async def _pump_output(link: Link, terminal: Descriptor) -> None:
    while data := await terminal.read(link.chunk):
        await link.send(data)


async def _pump_input(link: Link, terminal: Descriptor) -> None:
    """Feed the terminal; returns when the client asks for the end."""
    while True:
        item = await link.receive()
        if isinstance(item, DataReceived):
            await terminal.write(item.data)
        elif isinstance(item, SizeReceived):
            set_size(terminal.fileno(), item.cols, item.rows)
        elif isinstance(item, FlagReceived) and item.value == SessionFlag.TERMINATE_SESSION:
            return


def _shell() -> list[str]:
    configured = os.environ.get("SHELL", "")
    for candidate in (configured, "/bin/bash", "/bin/sh"):
        if candidate and os.access(candidate, os.X_OK):
            return [candidate]
    raise SessionRefused("there is no shell on this node")


def _home() -> str:
    """The user's home: a container's HOME may be unset where the agent runs."""
    try:
        return os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"
