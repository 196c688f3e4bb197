"""One command without a terminal: NonInteractiveCommands.

The command is split into words, not given to a shell, and has no input; bytes 03 and 1c from the client become SIGINT
and SIGQUIT (protocol page, section 10.3). With separateOutputStream the two outputs are sent as they come and then the
exit code; without it both are sent after the end, and the exit code is not transmitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import tempfile
from collections.abc import Mapping
from typing import Any

from sm_ssh_entry import command
from sm_ssh_entry.plane.agent import descriptors
from sm_ssh_entry.plane.agent.descriptors import Descriptor
from sm_ssh_entry.plane.agent.ending import Ending, SessionRefused
from sm_ssh_entry.plane.agent.link import Link
from sm_ssh_entry.plane.agent.processes import Children, Group
from sm_ssh_entry.plane.agent.shell import command_of
from sm_ssh_entry.wire.events import DataReceived, FlagReceived
from sm_ssh_entry.wire.payloads import SessionFlag

_SIGNALS = {0x03: signal.SIGINT, 0x1C: signal.SIGQUIT}
# A grandchild may hold the outputs open for ever; what the command itself wrote is read by then.
DRAIN_SECONDS = 0.5


async def run(link: Link, properties: Mapping[str, Any], children: Children) -> Ending:
    """Run the command; its process group ends with the session.

    Args:
        link: the session's data channel.
        properties: of the session document.
        children: starts the command.

    Raises:
        SessionRefused: there is no command, or it cannot be started.
    """
    linux = properties.get("linux")
    options = linux if isinstance(linux, dict) else {}
    try:
        words = shlex.split(command_of(properties))
    except ValueError as error:
        raise SessionRefused(f"the command cannot be split into words: {error}") from None
    separate = str(options.get("separateOutputStream", "")).strip().lower() == "true"
    if not separate:
        _, wanted = await _merged(link, words, children)
    else:
        before = {stderr: str(options.get(name) or "").encode() for stderr, name in _PREFIXES.items()}
        code, wanted = await _separate(link, words, children, before)
        if wanted:
            await link.pump.send_exit_code(code)
    return Ending(wanted=wanted)


_PREFIXES = {False: "stdOutSeparatorPrefix", True: "stdErrSeparatorPrefix"}


async def _merged(link: Link, words: list[str], children: Children) -> tuple[int, bool]:
    """Both outputs into one file, sent from its beginning after the end: however long it is, memory stays small."""
    with tempfile.TemporaryFile(buffering=0) as file:
        async with children.group(
            words, env=children.environment(), stdin=command.DEVNULL, stdout=file, stderr=file
        ) as group:
            code, wanted = await _ended(link, group)
        file.seek(0)
        while wanted and (data := file.read(link.chunk)):
            await link.send(data)
    return code, wanted


async def _separate(link: Link, words: list[str], children: Children, before: Mapping[bool, bytes]) -> tuple[int, bool]:
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        out, out_end = descriptors.pipe()
        err, err_end = descriptors.pipe()
        for end in (out, err):
            ours.callback(end.close)
        for number in (out_end, err_end):
            theirs.callback(os.close, number)
        async with children.group(
            words, env=children.environment(), stdin=command.DEVNULL, stdout=out_end, stderr=err_end
        ) as group:
            theirs.close()
            copies = [
                asyncio.create_task(_copy(link, out, before[False], stderr=False)),
                asyncio.create_task(_copy(link, err, before[True], stderr=True)),
            ]
            try:
                code, wanted = await _ended(link, group)
                if wanted:
                    await asyncio.wait(copies, timeout=DRAIN_SECONDS)
                    for end in (out, err):
                        end.finish()
                    await asyncio.gather(*copies)
            finally:
                for copy in copies:
                    copy.cancel()
                await asyncio.gather(*copies, return_exceptions=True)
    return code, wanted


async def _copy(link: Link, source: Descriptor, before: bytes, *, stderr: bool) -> None:
    while data := await source.read(link.chunk):
        if before:
            await link.send(before, stderr=stderr)
        await link.send(data, stderr=stderr)


async def _ended(link: Link, group: Group) -> tuple[int, bool]:
    """Wait for the command's end or the client's wish for it; return its status and whether output is wanted."""
    over = asyncio.create_task(group.process.wait())
    input_ = asyncio.create_task(_signals(link, group))
    try:
        await asyncio.wait({over, input_}, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            return command.shell_status(over.result()), True
        input_.result()
        await group.end()
        return command.shell_status(group.process.returncode or 0), False
    finally:
        for task in (over, input_):
            task.cancel()
        await asyncio.gather(over, input_, return_exceptions=True)


async def _signals(link: Link, group: Group) -> None:
    """Turn control bytes into signals; returns when the client asks for the end."""
    while True:
        item = await link.receive()
        if isinstance(item, DataReceived):
            for number in (_SIGNALS[byte] for byte in item.data if byte in _SIGNALS):
                group.send_signal(number)
        elif isinstance(item, FlagReceived) and item.value == SessionFlag.TERMINATE_SESSION:
            return
