"""The way to a session's data channel: opened with a ticket, opened again with ResumeSession after each loss.

What runs over it (``ssh``'s bytes, a shell, forwarded ports) is the caller's; see ``session`` for one.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import ServiceError, SessionFailed, Throttled, Unreachable
from sm_ssh_entry.pump import WebSocketLike, open_websocket
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.openers import OpenClientChannel

# Agents decide by the client's version what it understands; this one is past every gate. Protocol page, section 10.2.
CLIENT_VERSION = "1.2.700.0"
REDIAL_SECONDS = 60.0
START_SECONDS = 20.0
_OPEN_SECONDS = 10.0


class Dialer:
    """Opens the channel of one session, as often as it takes; ``dial`` is what ``Pump`` wants.

    Args:
        ticket: the session.
        client: makes an SSM client, for the rare case that one is needed.
    """

    def __init__(self, ticket: Ticket, client: Callable[[], Any]) -> None:
        #: Whether the service has said that the session is over: nobody need terminate it.
        self.over = False
        self._ticket, self._client = ticket, client
        self._fresh: Ticket | None = ticket

    async def dial(self) -> WebSocketLike:
        """Open a WebSocket and present the token: the one from StartSession, then one from ResumeSession each time."""
        ticket = self._fresh
        if ticket is None:
            ticket = await asyncio.to_thread(self._resume)
        self._fresh = None
        opener = OpenClientChannel(ticket.token, str(uuid.uuid4()), str(uuid.uuid4()), CLIENT_VERSION)
        tls = _trust() if ticket.url.startswith("wss:") else None
        return await open_websocket(ticket.url, opener.encode(), tls=tls, open_timeout=_OPEN_SECONDS)

    def _resume(self) -> Ticket:
        old = self._ticket
        try:
            with aws.errors_of(action="ssm:ResumeSession"):
                answer = self._client().resume_session(SessionId=old.session_id)
        except ServiceError as error:
            self.over = error.code == "DoesNotExistException"
            raise
        except (Unreachable, Throttled) as error:  # a loss like any other: the pump tries again
            raise ConnectionError(error.message) from error
        if not answer.get("TokenValue"):  # the service's way of saying that it has timed out
            self.over = True
            raise SessionFailed(f"the session to {old.node_id} has timed out", hint="connect again")
        return Ticket(old.node_id, old.port, old.session_id, str(answer["TokenValue"]), str(answer["StreamUrl"]))


def client_channel(**options: Any) -> DataChannel:
    """Make the client's end of a channel.

    Args:
        options: what ``DataChannel`` takes beside role, ids, clock and version.
    """
    given = {"start_timeout": START_SECONDS, **options}
    return DataChannel(
        Role.CLIENT,
        new_id=uuid.uuid4,
        epoch=time.time() - time.monotonic(),
        client_version=CLIENT_VERSION,
        **given,
    )


def _trust() -> ssl.SSLContext:
    """Trust what the AWS clients trust, and what the system trusts."""
    context = ssl.create_default_context()
    context.load_verify_locations(aws.ca_bundle())
    return context
