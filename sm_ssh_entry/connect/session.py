"""The session of ``ssh``: a line between its standard input and output and the node's sshd.

``ssh`` ends its ProxyCommand with a hang-up, so HUP, TERM and the end of input all end the session properly. By then
nobody waits for us.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import stdio
from sm_ssh_entry.connect.channel import CLIENT_VERSION
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.line import Line
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import SessionFailed
from sm_ssh_entry.wire import events as ev

# An sshd greets at once, if its machine is not busy with something else. A port where nothing listens is silent for a
# minute. Protocol page, section 10.3.
FIRST_OUTPUT_SECONDS = 20.0
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def run(
    ticket: Ticket,
    client: Callable[[], Any],
    ending: Ending,
    *,
    size: int,
    watch: Callable[[bytes], None] = lambda _: None,
) -> int:
    """Join standard input and output to the port of a session until either side ends.

    Args:
        ticket: the session.
        client: makes an SSM client, for the rare case that one is needed.
        ending: our side's end.
        size: bytes of the stream in one message.
        watch: is given what the node sends, each piece before it goes on to standard output.

    Raises:
        SessionFailed: the session broke, or nothing came through it.
    """
    session = _Session(ticket, client, ending, size, watch)
    try:
        return asyncio.run(session.join())
    finally:
        if not session.line.is_over:
            session.terminate()


class _Session:
    """A line and what it is joined to."""

    def __init__(
        self, ticket: Ticket, client: Callable[[], Any], ending: Ending, size: int, watch: Callable[[bytes], None]
    ) -> None:
        self._node_id, self._port, self._ending = ticket.node_id, ticket.port, ending
        self._watch = watch
        self._output: stdio.Output
        self._greeted = False
        self.line = Line(
            ticket,
            client,
            ending,
            tell=_tell,
            max_payload=size,
            hold_input_until_first_output=True,
            first_output_timeout=FIRST_OUTPUT_SECONDS,
            client_version=ticket.client_version or CLIENT_VERSION,
        )

    async def join(self) -> int:
        """Run until one side ends; return the exit status.

        Raises:
            SessionFailed: it broke, or never came to life.
        """
        self._output = stdio.Output(_STDOUT, self._ending.over)
        stdio.make_binary(_STDIN, _STDOUT)
        self.line.begin(self._take)
        stdio.read_forever(_STDIN, self.line.pump.send_data, self._ending.over)
        if await self.line.wait(self._let_go):
            await self._output.finish()
        if self.line.failure:
            raise self.line.failure
        return 0

    def terminate(self) -> None:
        """End the session by the API. Nobody waits for us any more."""
        if not os.environ.get(contract.DEBUG):
            stdio.let_go(_STDIN, _STDOUT)
        self.line.terminate()

    def _let_go(self) -> None:
        if not self.line.failure:
            stdio.let_go(_STDIN, _STDOUT, *(() if os.environ.get(contract.DEBUG) else (_STDERR,)))

    async def _take(self, event: ev.Event) -> None:
        """Act on what the channel tells."""
        if isinstance(event, ev.DataReceived):
            self._greeted = True
            self._watch(event.data)
            await self._output.write(event.data)
        elif isinstance(event, ev.ChannelClosed) and not self._greeted:
            said = " ".join(event.output.split())
            self._fail(f"the node closed the session before its sshd answered{': ' + said if said else ''}")
        elif isinstance(event, ev.DeadlinePassed) and event.deadline is ev.Deadline.FIRST_OUTPUT:
            self._fail(f"the session is open, but nothing answers on port {self._port} of {self._node_id}")

    def _fail(self, message: str) -> None:
        self.line.fail(SessionFailed(message, hint="sshd may be down: look at the job's log, or try again"))


def _tell(line: str) -> None:
    """Print a line for the user, whose terminal ``ssh`` has made raw."""
    print(f"\r\nsm-ssh: {line}", end="\r\n", file=sys.stderr, flush=True)
