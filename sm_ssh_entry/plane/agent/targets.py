"""Where a port session may lead: which addresses are refused, and dialling the rest."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sm_ssh_entry.plane.agent.ending import SessionRefused

DIAL_SECONDS = 10.0
CLOSE_SECONDS = 1.0
# The node's metadata, its VPC's name server and time server: Mgs.DeniedPortForwardingRemoteIPs of the official agent
# denies these. There is no VPC here, so of its resolvers only the link-local ones have a known address.
DENIED = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "fd00:ec2::254",
        "169.254.169.253",
        "fd00:ec2::253",
        "169.254.169.123",
        "fd00:ec2::123",
    )
)


class ConnectFailed(Exception):
    """Nobody listens there, or the name means nothing; the text says which."""


def port_of(properties: Mapping[str, Any]) -> int:
    """Return the port of a session document's properties.

    Raises:
        SessionRefused: it is none.
    """
    text = str(properties.get("portNumber", "")).strip()
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise SessionRefused(f"{text!r} is not a port")
    return int(text)


def host_of(properties: Mapping[str, Any]) -> str:
    """Return the host of a session document's properties, localhost where it names none."""
    return str(properties.get("host") or "localhost").strip()


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host that may be dialled, in order.

    Raises:
        SessionRefused: one of them is denied. All are refused then: a name must not become a way around the list.
        ConnectFailed: the name has no address.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise ConnectFailed(f"{host}: {getattr(error, 'strerror', None) or 'not a host name'}") from error
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    for address in addresses:
        if _denied(address):
            raise SessionRefused(f"Forwarding to IP address {address} is forbidden.")
    return addresses


@contextlib.asynccontextmanager
async def connection(
    addresses: list[str], port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to the first address that answers; close the connection in the end, however its owner ends.

    Args:
        addresses: where.
        port: its port.

    Raises:
        ConnectFailed: none answers.
    """
    reader, writer = await _dial(addresses, port)
    try:
        yield reader, writer
    finally:
        await _close(writer)


async def _dial(addresses: list[str], port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reason = "no address"
    for address in addresses:
        opening = asyncio.ensure_future(asyncio.open_connection(address, port, limit=256 * 1024))
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation, or the connection, when both come at once.
            await asyncio.wait({opening}, timeout=DIAL_SECONDS)
        except asyncio.CancelledError:
            _give_up(opening)
            raise
        if not opening.done():
            _give_up(opening)
            reason = "timed out"
            continue
        try:
            reader, writer = opening.result()
        except OSError as error:
            # asyncio puts the address where the reason belongs.
            reason = os.strerror(error.errno) if error.errno else str(error)
        else:
            writer.transport.set_write_buffer_limits(high=256 * 1024)
            found = writer.get_extra_info("socket")
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return reader, writer
    raise ConnectFailed(f"port {port}: {reason}")


def _give_up(opening: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    """Cancel a connection that is being opened; one that has come about meanwhile is closed."""

    def close(opened: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            opened.result()[1].transport.abort()

    opening.add_done_callback(close)
    opening.cancel()


async def _close(writer: asyncio.StreamWriter) -> None:
    """Send what is left and close; a peer that does not read is not waited for long."""
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), CLOSE_SECONDS)
    except (OSError, asyncio.TimeoutError):
        writer.transport.abort()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise


def _denied(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed) in DENIED
