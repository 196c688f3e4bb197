"""Line: one session's data channel from its ticket to its end, which leaves nothing behind on the node.

A client that just vanishes leaves a worker on the node until somebody tells it to go. So our end is said by a flag in
the channel, which takes effect within milliseconds, and by TerminateSession where the channel does not confirm it. A
network that hangs holds up neither: who leaves is gone within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from sm_ssh_entry.connect import channel, opening
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import SessionFailed, SmSshError
from sm_ssh_entry.pump import Pump, PumpError
from sm_ssh_entry.wire import events as ev

# How long the node has to confirm the end, how long the connection to close, and how long the API call may take: on a
# network that works, and on one that does not answer.
_CONFIRM_SECONDS = 0.3
_CLOSE_SECONDS = 0.1
_CALL_SECONDS = 5.0
_HUNG_CALL_SECONDS = 0.3


class Line:
    """One session. Make it, ``begin``, ``wait``; ``terminate`` when ``is_over`` does not hold by then.

    Args:
        ticket: the session.
        client: makes an SSM client, for the rare case that one is needed.
        ending: our side's end.
        tell: takes one line for the user.
        on_trouble: told when the other end is silent or the connection lost, and ``""`` when that is over.
        options: what ``channel.client_channel`` takes.
    """

    def __init__(
        self,
        ticket: Ticket,
        client: Callable[[], Any],
        ending: Ending,
        *,
        tell: Callable[[str], None] = lambda _: None,
        on_trouble: Callable[[str], None] = lambda _: None,
        **options: Any,
    ) -> None:
        #: Why it failed, the first reason; None: it has not.
        self.failure: SmSshError | None = None
        self._node_id, self._id = ticket.node_id, ticket.session_id
        self._client, self._ending = client, ending
        self._dialer = channel.Dialer(ticket, client, tell)
        self.pump = Pump(
            channel.client_channel(**options),
            self._dialer.dial,
            redial_for=channel.REDIAL_SECONDS,
            pace=channel.PACE,
            on_trouble=on_trouble,
        )
        self._ended = self._answers = False
        self._take: Callable[[ev.Event], Awaitable[None]]
        self._pumping: asyncio.Task[None]

    @property
    def is_over(self) -> bool:
        """Whether nobody need end it by the API."""
        return self._ended or self._dialer.over

    def begin(self, take: Callable[[ev.Event], Awaitable[None]]) -> None:
        """Open the channel, in the running event loop.

        Args:
            take: awaited for every event, in order. What any session makes of an event has happened by then.
        """
        self._take = take
        self._pumping = asyncio.create_task(self.pump.run(self._act))

    async def wait(self, leaving: Callable[[], None] = lambda: None) -> bool:
        """Wait until either side has ended; ``failure`` says whether that was as it should be.

        Args:
            leaving: called when it is our side, before anything is waited for.

        Returns:
            Whether the other side's last words have been delivered: it was not ours that ended.
        """
        over = asyncio.create_task(self._ending.wait())
        await asyncio.wait({self._pumping, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not self._pumping.done():
            leaving()
            await self._leave()
            return False
        try:
            self._pumping.result()
        except SmSshError as error:
            self.fail(error)
        except PumpError as error:
            self.fail(self._dialer.refusal or self._broken(error.__cause__ or error))
        return True

    def fail(self, error: SmSshError) -> None:
        """End it from our side, because of an error."""
        self.failure = self.failure or error
        self._ending.over()

    def terminate(self) -> None:
        """End the session by the API, in case the channel did not. Takes a moment only where the network hangs."""

        def call() -> None:
            with contextlib.suppress(SmSshError):
                opening.terminate(self._client(), self._id)

        calling = threading.Thread(target=call, name="terminate", daemon=True)
        calling.start()
        calling.join(_CALL_SECONDS if self._answers else _HUNG_CALL_SECONDS)

    async def _leave(self) -> None:
        """Say so in the channel, and give the node a moment to confirm."""
        asking = asyncio.create_task(self.pump.answers(_CONFIRM_SECONDS))
        with contextlib.suppress(Exception):
            await self.pump.terminate()
        await asyncio.wait({self._pumping}, timeout=_CONFIRM_SECONDS)
        self._answers = await asking
        if not self._pumping.done():
            with contextlib.suppress(Exception):
                await self.pump.close(flush_for=0.0)
            self._pumping.cancel()
        await asyncio.wait({self._pumping}, timeout=_CLOSE_SECONDS)

    async def _act(self, event: ev.Event) -> None:
        if isinstance(event, ev.ChannelClosed):
            self._ended = True
        elif isinstance(event, ev.HandshakeFailed):
            self.fail(
                SessionFailed(
                    f"the node's agent demands what this session does not have: {event.reason}",
                    hint="sessions that the account encrypts with KMS need the AWS CLI; ssh's (sm-ssh connect) do not",
                )
            )
        elif isinstance(event, ev.DeadlinePassed) and event.deadline is ev.Deadline.ACKNOWLEDGEMENT:
            self.fail(SessionFailed(f"{self._node_id} does not acknowledge what is sent", hint="connect again"))
        elif isinstance(event, ev.DeadlinePassed) and event.deadline is not ev.Deadline.FIRST_OUTPUT:
            self.fail(
                SessionFailed(
                    f"the agent of {self._node_id} did not open its side of the session: {event.deadline.value}",
                    hint="it may be overloaded or about to end: look at the job's log, or try again",
                )
            )
        await self._take(event)

    def _broken(self, cause: BaseException) -> SmSshError:
        return SessionFailed(
            f"the session to {self._node_id} broke and could not be resumed: {cause or type(cause).__name__}",
            hint="check the network, then connect again",
        )
