"""The way to a session's data channel: opened with a ticket, opened again with ResumeSession after each loss.

What runs over it (``ssh``'s bytes, a shell, forwarded ports) is the caller's; see ``session`` for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from sm_ssh_entry import aws
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import (
    CredentialsExpired,
    CredentialsMissing,
    ServiceError,
    SessionFailed,
    SmSshError,
    Throttled,
    Unreachable,
)
from sm_ssh_entry.pump import Pace, WebSocketLike, open_websocket
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.openers import OpenClientChannel

# Agents decide by the client's version what it understands; this one is past every gate. Protocol page, section 10.2.
CLIENT_VERSION = "1.2.700.0"
# A lost connection is dialled again for so long: an outage of a minute is survived, and ssh, which waits for 120 s
# (ssh_command.ALIVE_INTERVAL, ALIVE_COUNT), has our word before it gives up by itself.
REDIAL_SECONDS = 90.0
START_SECONDS = 20.0
#: How soon a connection that says nothing is doubted.
PACE = Pace()
_OPEN_SECONDS = 10.0

T = TypeVar("T")


class Dialer:
    """Opens the channel of one session, as often as it takes; ``dial`` is what ``Pump`` wants.

    A session needs credentials twice: to be started, and to be resumed when its connection is lost. If they have run
    out by then they are read anew, and again at each attempt: a user who renews them in time keeps the session.

    Args:
        ticket: the session.
        client: makes an SSM client, for the rare case that one is needed.
        tell: takes one line for the user.
    """

    def __init__(self, ticket: Ticket, client: Callable[[], Any], tell: Callable[[str], None] = lambda _: None) -> None:
        #: Whether the service has said that the session is over: nobody need terminate it.
        self.over = False
        #: Why the credentials did not do at the latest attempt.
        self.refusal: SmSshError | None = None
        self._ticket, self._client, self._tell = ticket, client, tell
        self._fresh: Ticket | None = ticket
        self._told = False

    async def dial(self) -> WebSocketLike:
        """Open a WebSocket and present the token: the one from StartSession, then one from ResumeSession each time."""
        ticket = self._fresh
        if ticket is None:
            ticket = await _aside(self._resume)
        self._fresh = None
        version = self._ticket.client_version or CLIENT_VERSION
        opener = OpenClientChannel(ticket.token, str(uuid.uuid4()), str(uuid.uuid4()), version)
        tls = _trust() if ticket.url.startswith("wss:") else None
        return await open_websocket(ticket.url, opener.encode(), tls=tls, open_timeout=_OPEN_SECONDS, pings=False)

    def _resume(self) -> Ticket:
        old = self._ticket
        try:
            answer = self._ask_service()
        except ServiceError as error:
            self.over = error.code == "DoesNotExistException"
            raise
        except (Unreachable, Throttled, CredentialsExpired, CredentialsMissing) as error:
            raise ConnectionError(error.message) from error  # a loss like any other: the pump tries again
        if not answer.get("TokenValue"):  # the service's way of saying that it has timed out
            self.over = True
            raise SessionFailed(f"the session to {old.node_id} has timed out", hint="connect again")
        return Ticket(old.node_id, old.port, old.session_id, str(answer["TokenValue"]), str(answer["StreamUrl"]))

    def _ask_service(self) -> Any:
        """Call ResumeSession; where the credentials do not do, once more with what the user has now."""
        self.refusal = None
        try:
            return self._call()
        except (CredentialsExpired, CredentialsMissing):
            aws.forget()
        try:
            return self._call()
        except (CredentialsExpired, CredentialsMissing) as error:
            self.refusal = error
            if not self._told:
                self._told = True
                self._tell(f"{error.message}, and the connection was lost: renew them now and this session goes on")
            raise

    def _call(self) -> Any:
        with aws.errors_of(action="ssm:ResumeSession"):
            return self._client().resume_session(SessionId=self._ticket.session_id)


def client_channel(**options: Any) -> DataChannel:
    """Make the client's end of a channel.

    Args:
        options: what ``DataChannel`` takes beside role, ids, clock and version.
    """
    given = {"start_timeout": START_SECONDS, "client_version": CLIENT_VERSION, **options}
    return DataChannel(
        Role.CLIENT,
        new_id=uuid.uuid4,
        epoch=time.time() - time.monotonic(),
        **given,
    )


async def _aside(work: Callable[[], T]) -> T:
    """Run something in a thread that nobody waits for at the end, as asyncio does for its own: the network may hang."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            how(value)

    def run() -> None:
        try:
            how, value = future.set_result, work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            how, value = future.set_exception, error  # type: ignore[assignment]
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, how, value)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await future


def _trust() -> ssl.SSLContext:
    """Trust what the AWS clients trust, and what the system trusts."""
    context = ssl.create_default_context()
    context.load_verify_locations(aws.ca_bundle())
    return context
