"""What a port of a node says first: whether an sshd is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sm_ssh_entry.connect import opening
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.line import Line
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.wire import events as ev

# An sshd greets at once. A port where nothing listens is silent for a minute. Protocol page, section 10.3.
SECONDS = 10.0
_LONGEST = 1024


def read(ticket: Ticket, client: Callable[[], Any], *, seconds: float | None = None) -> str:
    """Open a session, return the first line that comes through it, and end it; ``""`` where none came.

    Args:
        ticket: the session.
        client: makes an SSM client, for the rare case that one is needed.
        seconds: how long to wait for it; None: ten seconds.
    """
    return asyncio.run(_read(ticket, client, SECONDS if seconds is None else seconds))


def is_sshd(line: str) -> bool:
    """Whether an sshd greets like this."""
    return line.startswith("SSH-2.0-")


async def _read(ticket: Ticket, client: Callable[[], Any], seconds: float) -> str:
    said, ending = bytearray(), Ending()
    line = Line(
        ticket,
        client,
        ending,
        max_payload=opening.DEFAULT_PAYLOAD_BYTES,
        hold_input_until_first_output=True,
        first_output_timeout=seconds,
    )

    async def take(event: ev.Event) -> None:
        if isinstance(event, ev.DataReceived):
            said.extend(event.data)
            if b"\n" in said or len(said) > _LONGEST:
                ending.over()
        elif isinstance(event, (ev.ChannelClosed, ev.HandshakeFailed, ev.DeadlinePassed)):
            ending.over()

    line.begin(take)
    await line.wait()
    if not line.is_over:
        await asyncio.to_thread(line.terminate)
    return bytes(said).split(b"\n", 1)[0].strip().decode("ascii", errors="replace")
