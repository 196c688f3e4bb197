"""The session: the data channel through the pump, and an end that leaves nothing behind on the node.

A client that just vanishes leaves a worker on the node until somebody tells it to go. ``ssh`` ends its ProxyCommand
with a hang-up, so HUP, TERM and the end of input all end the session properly: by a flag in the channel, which takes
effect within milliseconds, and by TerminateSession where the channel does not confirm it. By then nobody waits for us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import channel, opening, stdio
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import SessionFailed, SmSshError
from sm_ssh_entry.pump import Pump, PumpError
from sm_ssh_entry.wire import events as ev

# An sshd greets at once. A port where nothing listens is silent for a minute. Protocol page, section 10.3.
FIRST_OUTPUT_SECONDS = 10.0
_CLOSING_SECONDS = 0.3
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def run(ticket: Ticket, client: Callable[[], Any], ending: Ending, *, size: int) -> int:
    """Join standard input and output to the port of a session until either side ends.

    Args:
        ticket: the session.
        client: makes an SSM client, for the rare case that one is needed.
        ending: our side's end.
        size: bytes of the stream in one message.

    Raises:
        SessionFailed: the session broke, or nothing came through it.
    """
    session = _Session(ticket, client, ending)
    try:
        return asyncio.run(session.join(size))
    finally:
        if not session.is_over:
            session.terminate()


class _Session:
    """One data channel and what it is joined to."""

    def __init__(self, ticket: Ticket, client: Callable[[], Any], ending: Ending) -> None:
        self.ended = False
        self._node_id, self._port, self._id = ticket.node_id, ticket.port, ticket.session_id
        self._dialer = channel.Dialer(ticket, client)
        self._client, self._ending = client, ending
        self._failure: SmSshError | None = None
        self._output: stdio.Output
        self._greeted = False

    @property
    def is_over(self) -> bool:
        """Whether nobody need end it by the API."""
        return self.ended or self._dialer.over

    async def join(self, size: int) -> int:
        """Run until one side ends; return the exit status.

        Args:
            size: bytes of the stream in one message.

        Raises:
            SessionFailed: it broke, or never came to life.
        """
        stream = channel.client_channel(
            max_payload=size, hold_input_until_first_output=True, first_output_timeout=FIRST_OUTPUT_SECONDS
        )
        pump = Pump(stream, self._dialer.dial, redial_for=channel.REDIAL_SECONDS)
        self._output = stdio.Output(_STDOUT, self._ending.over)
        stdio.make_binary(_STDIN, _STDOUT)
        pumping = asyncio.create_task(pump.run(self._take))
        stdio.read_forever(_STDIN, pump.send_data, self._ending.over)
        leaving = asyncio.create_task(self._ending.wait())
        await asyncio.wait({pumping, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not pumping.done():
            await self._leave(pump, pumping)
        leaving.cancel()
        return await self._outcome(pumping)

    def terminate(self) -> None:
        """End the session by the API, in case the channel did not. Nobody waits for us any more."""
        if not os.environ.get(contract.DEBUG):
            stdio.let_go(_STDIN, _STDOUT)
        with contextlib.suppress(SmSshError):
            opening.terminate(self._client(), self._id)

    async def _leave(self, pump: Pump, pumping: asyncio.Task[None]) -> None:
        """Our side is over: say so in the channel, and give the node a moment to confirm."""
        if not self._failure:
            stdio.let_go(_STDIN, _STDOUT, *(() if os.environ.get(contract.DEBUG) else (_STDERR,)))
        with contextlib.suppress(Exception):
            await pump.terminate()
        await asyncio.wait({pumping}, timeout=_CLOSING_SECONDS)
        if not pumping.done():
            with contextlib.suppress(Exception):
                await pump.close()
            pumping.cancel()

    async def _outcome(self, pumping: asyncio.Task[None]) -> int:
        try:
            await pumping
        except asyncio.CancelledError:
            pass
        except PumpError as error:
            cause = error.__cause__ or error
            self._failure = self._failure or SessionFailed(
                f"the session to {self._node_id} broke and could not be resumed: {cause or type(cause).__name__}",
                hint="check the network, then connect again",
            )
        await self._output.finish()
        if self._failure:
            raise self._failure
        return 0

    async def _take(self, event: ev.Event) -> None:
        """Act on what the channel tells."""
        if isinstance(event, ev.DataReceived):
            self._greeted = True
            await self._output.write(event.data)
        elif isinstance(event, ev.ChannelClosed):
            self.ended = True
            if not self._greeted:
                said = " ".join(event.output.split())
                self._fail(f"the node closed the session before its sshd answered{': ' + said if said else ''}")
        elif isinstance(event, ev.HandshakeFailed):
            self._fail(f"the node's agent demands what an ssh session does not have: {event.reason}")
        elif isinstance(event, ev.DeadlinePassed):
            self._late(event.deadline)

    def _late(self, deadline: ev.Deadline) -> None:
        if deadline is ev.Deadline.FIRST_OUTPUT:
            self._fail(f"the session is open, but nothing answers on port {self._port} of {self._node_id}")
        elif deadline is ev.Deadline.ACKNOWLEDGEMENT:
            self._fail(f"{self._node_id} does not acknowledge what is sent", "connect again")
        else:
            self._fail(f"the agent of {self._node_id} did not open its side of the session: {deadline.value}")

    def _fail(self, message: str, hint: str = "sshd may be down: look at the job's log, or try again") -> None:
        self._failure = self._failure or SessionFailed(message, hint=hint)
        self._ending.over()
