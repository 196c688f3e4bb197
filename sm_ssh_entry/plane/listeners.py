"""Further listeners of a plane, each on the host's own address in one network of containers.

Loopback is another machine's for a container. What is served here is AWS's APIs and the message gateway, to whoever has
keys; the plane's own routes are not part of this application, so no request can reach them from a container.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext

from aiohttp import web

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane.environment import NETWORK_NAME

BACKLOG = 1024


@dataclass
class _Open:
    url: str
    tls_url: str
    sites: list[web.SockSite] = field(default_factory=list)


class Listeners:
    """The listeners by address.

    Args:
        application: makes the application that they serve.
        certify: makes a TLS context for some names and addresses.
        stop_seconds: what still runs so long after a stop is cancelled.
    """

    def __init__(
        self, application: Callable[[], web.Application], certify: Callable[..., SSLContext], stop_seconds: float
    ) -> None:
        self._application = application
        self._certify = certify
        self._stop_seconds = stop_seconds
        self._runner: web.AppRunner | None = None
        self._open: dict[str, _Open] = {}

    @property
    def addresses(self) -> list[str]:
        """Where the plane listens beside loopback."""
        return list(self._open)

    async def open(self, address: str) -> tuple[str, str]:
        """Listen on an address, HTTP and TLS, and return both URLs; the same ones if it is open already.

        Args:
            address: a private address of this machine. The certificate is good for it and for ``NETWORK_NAME``.

        Raises:
            BadInput: it is no private address, or none of this machine.
        """
        _require_private(address)
        if address not in self._open:
            if self._runner is None:
                self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=self._stop_seconds)
                await self._runner.setup()
            with contextlib.ExitStack() as sockets:
                plain, tls = (sockets.enter_context(listening(address, 0)) for _ in range(2))
                context = self._certify(address, NETWORK_NAME)
                sites = [
                    web.SockSite(self._runner, plain, backlog=BACKLOG),
                    web.SockSite(self._runner, tls, ssl_context=context, backlog=BACKLOG),
                ]
                ports = [one.getsockname()[1] for one in (plain, tls)]
                for site in sites:
                    await site.start()
                sockets.pop_all()
            self._open[address] = _Open(f"http://{address}:{ports[0]}", f"https://{address}:{ports[1]}", sites)
        found = self._open[address]
        return found.url, found.tls_url

    async def close(self, address: str) -> bool:
        """Stop listening on an address and cut its connections; False: nothing listened there."""
        found = self._open.pop(address, None)
        if found is None:
            return False
        for site in found.sites:
            await site.stop()
        self._cut(address)
        return True

    async def stop(self) -> None:
        """Close them all."""
        for address in self.addresses:
            await self.close(address)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _cut(self, address: str) -> None:
        server = self._runner.server if self._runner else None
        for connection in list(server.connections) if server else []:
            if connection.transport and connection.transport.get_extra_info("sockname")[0] == address:
                connection.transport.abort()


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: address.
        port: port; 0: any free one.

    Raises:
        BadInput: it cannot.
    """
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(
            f"cannot listen on {host}:{port}: {reason}", hint="name another port, or 0 for any free one"
        ) from error


def _require_private(address: str) -> None:
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError as error:
        raise BadInput(f"{address!r} is no IPv4 address") from error
    # is_private counts 0.0.0.0 in, which would be every address of the machine.
    if not parsed.is_private or parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local:
        raise BadInput(f"{address} is not a private address of a network of containers")
