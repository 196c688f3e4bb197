"""One TCP connection in a session: AWS-StartSSHSession, and forwarding for clients that do not multiplex."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Any

from sm_ssh_entry.plane.agent import targets
from sm_ssh_entry.plane.agent.ending import Ending
from sm_ssh_entry.plane.agent.link import Link
from sm_ssh_entry.wire.events import DataReceived, FlagReceived
from sm_ssh_entry.wire.payloads import SessionFlag


class _Over(Enum):
    """What ended one connection."""

    SERVER = "the server closed it"
    DISCONNECT = "the client is done with it"
    TERMINATE = "the client is done with the session"


async def run(link: Link, properties: Mapping[str, Any]) -> Ending:
    """Connect to the port and copy both ways until either side is done.

    A port where nobody listens ends the session at once and says so, where the official agent's worker crashes and the
    client hears of it a minute later.

    Args:
        link: the session's data channel.
        properties: of the session document: portNumber, and host or type for forwarding.

    Raises:
        SessionRefused: the port is none, or the address is denied.
    """
    port = targets.port_of(properties)
    while True:
        try:
            addresses = await targets.resolve(targets.host_of(properties), port)
            async with targets.connection(addresses, port) as (reader, writer):
                over = await _relay(link, reader, writer)
        except targets.ConnectFailed as error:
            if properties.get("type"):
                # Not to SSH: the official plugin would write the flag's bytes to ssh, in front of the reason.
                await link.pump.send_flag(SessionFlag.CONNECT_TO_PORT_ERROR)
            return Ending("Failed", f"Connection to destination port failed: {error}")
        # Forwarding keeps its session for the client's next connection; SSH has one.
        if over is not _Over.DISCONNECT or not properties.get("type"):
            return Ending(announced=False, wanted=over is _Over.SERVER)


async def _relay(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Over:
    down = asyncio.create_task(_down(link, reader))
    up = asyncio.create_task(_up(link, writer))
    try:
        await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
        if up.done() and not down.done() and up.result() is _Over.SERVER:
            # It takes no more, and may have said its last word already.
            await down
        return up.result() if up.done() else down.result()
    finally:
        for task in (down, up):
            task.cancel()
        await asyncio.gather(down, up, return_exceptions=True)


async def _down(link: Link, reader: asyncio.StreamReader) -> _Over:
    try:
        while data := await reader.read(link.chunk):
            await link.send(data)
    except ConnectionError:
        pass
    return _Over.SERVER


async def _up(link: Link, writer: asyncio.StreamWriter) -> _Over:
    while True:
        item = await link.receive()
        if isinstance(item, DataReceived):
            try:
                writer.write(item.data)
                await writer.drain()
            except ConnectionError:
                return _Over.SERVER
        elif isinstance(item, FlagReceived):
            if item.value == SessionFlag.DISCONNECT_TO_PORT:
                return _Over.DISCONNECT
            if item.value == SessionFlag.TERMINATE_SESSION:
                return _Over.TERMINATE
