"""A local port: bound first, so that a port that is taken is known at once, and open when there is a session."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

from sm_ssh_entry.connect.forwarding.spec import EVERYWHERE, Spec, address
from sm_ssh_entry.errors import BadInput

# A browser opens a dozen connections at once, a load test hundreds.
_BACKLOG = 1024
_TAKEN = {errno.EADDRINUSE: "is taken by another program", errno.EACCES: "is not yours to listen on"}
# Windows' own numbers: WSAEADDRINUSE, WSAEACCES.
_TAKEN |= {10048: _TAKEN[errno.EADDRINUSE], 10013: _TAKEN[errno.EACCES]}

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """One listening port.

    Args:
        spec: what is forwarded.
        there: where it leads, for people.
    """

    def __init__(self, spec: Spec, there: str) -> None:
        self.spec, self.there = spec, there
        #: The port, chosen by the system where the specification left it open.
        self.port = spec.local
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def here(self) -> str:
        """Address and port."""
        return address(self.spec.bind, self.port)

    async def bind(self, handler: Handler) -> None:
        """Take the port, without listening yet.

        Args:
            handler: carries one connection to its end.

        Raises:
            BadInput: it cannot be had.
        """

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - this is a coroutine
            self._tasks.add(task)
            try:
                await handler(reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                self._tasks.discard(task)
                writer.close()

        host = None if self.spec.bind == EVERYWHERE else self.spec.bind
        where = address(self.spec.bind, self.spec.local)
        try:
            port = self.spec.local or _free_port(host)
            self._server = await asyncio.start_server(accepted, host, port, backlog=_BACKLOG, start_serving=False)
            self.port = port
        except OSError as error:
            why = _TAKEN.get(error.errno or 0, f"cannot be had: {error.strerror or error}")
            raise BadInput(
                f"{where}, wanted for {self.there}, {why}",
                hint=f"0:{self.spec.port} takes a free port and prints it",
            ) from error

    async def listen(self) -> None:
        """Accept connections from now on."""
        assert self._server is not None  # noqa: S101 - see bind
        await self._server.start_serving()

    async def close(self) -> None:
        """Accept no more, and break what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _free_port(host: str | None) -> int:
    """Return a port that is free now. Asked before, because each address of a name would get one of its own."""
    family = socket.AF_INET6 if host and ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host or "", 0))
        return int(probe.getsockname()[1])
