"""A probe over a shell session, for nodes without sshd: the terminal is set to pass bytes as they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from sm_ssh_entry.connect import channel, opening, speed
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import SessionFailed, SmSshError
from sm_ssh_entry.pump import Pump, PumpError
from sm_ssh_entry.wire import events as ev

_CLOSING_SECONDS = 0.5
# Pieces of output that may wait before the session is held back.
_WAITING = 64


class ShellProbe:
    """One shell session with the script in it.

    Args:
        ticket: the session.
        client: makes an SSM client.
    """

    def __init__(self, ticket: Ticket, client: Callable[[], Any]) -> None:
        self._id, self._client = ticket.session_id, client
        self._dialer = channel.Dialer(ticket, client)
        self._pump = Pump(channel.client_channel(max_payload=opening.payload_bytes()), self._dialer.dial)
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        self._closed = False
        self._running = asyncio.create_task(self._run())

    async def send(self, data: bytes) -> None:
        """See ``speed.Probe``."""
        try:
            await self._pump.send_data(data)
        except PumpError as error:
            raise _ended() from error

    async def receive(self) -> bytes:
        """See ``speed.Probe``."""
        coming = asyncio.create_task(self._arrived.get())
        tasks: set[asyncio.Task[Any]] = {coming, self._running}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
        finally:
            coming.cancel()
        raise _ended()

    async def close(self) -> None:
        """See ``speed.Probe``."""
        with contextlib.suppress(Exception):
            await self._pump.terminate()
        await asyncio.wait({self._running}, timeout=_CLOSING_SECONDS)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        if not self._closed:
            with contextlib.suppress(SmSshError):
                await asyncio.to_thread(lambda: opening.terminate(self._client(), self._id))

    async def _run(self) -> None:
        with contextlib.suppress(PumpError, SmSshError):
            await self._pump.run(self._take)

    async def _take(self, event: ev.Event) -> None:
        if isinstance(event, ev.DataReceived):
            await self._arrived.put(event.data)
        elif isinstance(event, ev.ChannelClosed):
            self._closed = True
        elif isinstance(event, ev.HandshakeFailed | ev.DeadlinePassed):
            await self._pump.close(flush_for=0)


async def open_probe(start: Callable[[], Ticket], client: Callable[[], Any]) -> speed.Probe:
    """Start a shell and the script in it.

    Args:
        start: StartSession with the default document.
        client: makes an SSM client.

    Raises:
        SmSshError: why there is no session.
    """
    probe = ShellProbe(await asyncio.to_thread(start), client)
    try:
        # A shell may throw away what comes before its first prompt.
        await asyncio.wait_for(probe.receive(), channel.START_SECONDS)
        await probe.send(f"stty raw -echo; {speed.SCRIPT}; exit\n".encode())
        await speed.ready(probe)
    except asyncio.TimeoutError:
        await probe.close()
        raise SessionFailed("the node's shell says nothing", hint="sm-ssh shell shows whether there is one") from None
    except BaseException:
        await probe.close()
        raise
    return probe


def _ended() -> SessionFailed:
    return SessionFailed("the session has ended before the measurement was over", hint="try again")
