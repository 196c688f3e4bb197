"""A program for tests: opens so many sessions to a node's sshd and ends each, politely or by vanishing.

    python -m tests.end_to_end.many_sessions NODE PORT COUNT RUDE

Prints how many greeted. Sessions go a few at a time; the first RUDE of them just drop their socket at the end, as a
laptop that is closed does.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.pump import Pump, WebSocketLike, open_websocket
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.openers import OpenClientChannel

AT_ONCE = 8
VERSION = "1.2.700.0"


async def session(ssm: Any, node: str, port: str, *, polite: bool) -> bool:
    """Open one session, wait for the sshd's greeting, end it; say whether it greeted."""
    opened = await asyncio.to_thread(
        ssm.start_session, Target=node, DocumentName="AWS-StartSSHSession", Parameters={"portNumber": [port]}
    )
    sockets: list[WebSocketLike] = []

    async def dial() -> WebSocketLike:
        opener = OpenClientChannel(opened["TokenValue"], str(uuid.uuid4()), str(uuid.uuid4()), VERSION)
        sockets.append(await open_websocket(opened["StreamUrl"], opener.encode()))
        return sockets[-1]

    channel = DataChannel(Role.CLIENT, new_id=uuid.uuid4, epoch=time.time() - time.monotonic(), client_version=VERSION)
    pump = Pump(channel, dial)
    greeted = asyncio.Event()
    said = bytearray()

    def take(event: ev.Event) -> None:
        if isinstance(event, ev.DataReceived):
            said.extend(event.data)
            greeted.set()

    pumping = asyncio.create_task(pump.run(take))
    await asyncio.wait_for(greeted.wait(), 120)
    if polite:
        await pump.terminate()
        await asyncio.wait_for(asyncio.shield(pumping), 120)
    else:
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)
        await sockets[-1].close()
    return said.startswith(b"SSH-2.0-")


async def run(node: str, port: str, count: int, rude: int) -> int:
    """Open and end ``count`` sessions; return how many greeted."""
    ssm = aws.client("ssm")
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> bool:
        async with gate:
            return await session(ssm, node, port, polite=number >= rude)

    return sum(await asyncio.gather(*(one(number) for number in range(count))))


if __name__ == "__main__":
    print(asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
