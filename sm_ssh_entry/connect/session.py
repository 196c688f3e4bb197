"""The session: StartSession, the data channel through the pump, and an end that leaves nothing behind on the node.

A client that just vanishes leaves a worker on the node until somebody tells it to go. ``ssh`` ends its ProxyCommand
with a hang-up, so HUP, TERM and the end of input all end the session properly: by a flag in the channel, which takes
effect within milliseconds, and by TerminateSession where the channel does not confirm it. By then nobody waits for us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import stdio
from sm_ssh_entry.errors import BadInput, ServiceError, SessionFailed, SmSshError, Throttled, Unreachable
from sm_ssh_entry.pump import Pump, PumpError, WebSocketLike, open_websocket
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.openers import OpenClientChannel

DOCUMENT = "AWS-StartSSHSession"
# Agents decide by the client's version what it understands; this one is past every gate. Protocol page, section 10.2.
CLIENT_VERSION = "1.2.700.0"
DEFAULT_PAYLOAD_BYTES = 1024
# An sshd greets at once. A port where nothing listens is silent for a minute. Protocol page, section 10.3.
FIRST_OUTPUT_SECONDS = 10.0
START_SECONDS = 20.0
_OPEN_SECONDS = 10.0
_REDIAL_SECONDS = 60.0
_CLOSING_SECONDS = 0.3
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def run(ssm: Any, node_id: str, port: int, *, refused: Callable[[SmSshError], SmSshError]) -> int:
    """Join standard input and output to a port of a node until either side ends.

    Args:
        ssm: client.
        node_id: ``mi-…``.
        port: where its sshd listens.
        refused: explains why StartSession failed.

    Raises:
        SessionFailed: the session broke, or nothing came through it.
    """
    size = payload_bytes()
    ending = _Ending()
    ending.watch_signals()
    try:
        with aws.errors_of(action="ssm:StartSession"):
            opened = ssm.start_session(
                Target=node_id, DocumentName=DOCUMENT, Parameters={"portNumber": [str(port)]}, Reason="ssh"
            )
    except SmSshError as error:
        raise refused(error) from error
    session = _Session(ssm, opened, node_id, port, ending)
    try:
        return asyncio.run(session.join(size))
    finally:
        if not session.ended:
            session.terminate()


def payload_bytes() -> int:
    """Return how many bytes of the stream one message carries.

    Raises:
        BadInput: the variable holds no such number.
    """
    text = os.environ.get(contract.PAYLOAD_BYTES) or str(DEFAULT_PAYLOAD_BYTES)
    if not text.isdigit() or not 1 <= int(text) <= 1 << 20:
        raise BadInput(f"{contract.PAYLOAD_BYTES} is not a number of bytes: {text!r}", hint="1024 suits every service")
    return int(text)


class _Ending:
    """Whether our side is over: by a signal, by the end of input, by a reader that went away."""

    def __init__(self) -> None:
        self._over = False
        self._event: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch_signals(self) -> None:
        """Let HUP and TERM end the session instead of the process. Ctrl-C is for ``ssh``, whose end ends us."""
        for name in ("SIGHUP", "SIGTERM", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, lambda *_: self.over())
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def over(self) -> None:
        """Say that it is over; from any thread, and from a signal handler."""
        self._over = True
        loop, event = self._loop, self._event
        if loop is not None and event is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

    async def wait(self) -> None:
        """Wait for it."""
        self._event, self._loop = asyncio.Event(), asyncio.get_running_loop()
        if not self._over:
            await self._event.wait()


class _Session:
    """One data channel and what it is joined to."""

    def __init__(self, ssm: Any, opened: dict[str, Any], node_id: str, port: int, ending: _Ending) -> None:
        self.ended = False
        self._ssm, self._node_id, self._port = ssm, node_id, port
        self._id = str(opened["SessionId"])
        self._ticket: dict[str, Any] = opened
        self._ending = ending
        self._failure: SmSshError | None = None
        self._output: stdio.Output
        self._greeted = False

    async def join(self, size: int) -> int:
        """Run until one side ends; return the exit status.

        Args:
            size: bytes of the stream in one message.

        Raises:
            SessionFailed: it broke, or never came to life.
        """
        channel = DataChannel(
            Role.CLIENT,
            new_id=uuid.uuid4,
            epoch=time.time() - time.monotonic(),
            client_version=CLIENT_VERSION,
            max_payload=size,
            hold_input_until_first_output=True,
            start_timeout=START_SECONDS,
            first_output_timeout=FIRST_OUTPUT_SECONDS,
        )
        pump = Pump(channel, self._dial, redial_for=_REDIAL_SECONDS)
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
        with contextlib.suppress(SmSshError), aws.errors_of(action="ssm:TerminateSession"):
            self._ssm.terminate_session(SessionId=self._id)

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

    async def _dial(self) -> WebSocketLike:
        """Open a WebSocket and present the token: the one from StartSession, then one from ResumeSession each time."""
        ticket = self._ticket or await asyncio.to_thread(self._resume)
        self._ticket = {}
        url = str(ticket["StreamUrl"])
        opener = OpenClientChannel(str(ticket["TokenValue"]), str(uuid.uuid4()), str(uuid.uuid4()), CLIENT_VERSION)
        tls = _trust() if url.startswith("wss:") else None
        return await open_websocket(url, opener.encode(), tls=tls, open_timeout=_OPEN_SECONDS)

    def _resume(self) -> dict[str, Any]:
        try:
            with aws.errors_of(action="ssm:ResumeSession"):
                ticket = dict(self._ssm.resume_session(SessionId=self._id))
        except ServiceError as error:
            self.ended = error.code == "DoesNotExistException"
            raise
        except (Unreachable, Throttled) as error:  # a loss like any other: the pump tries again
            raise ConnectionError(error.message) from error
        if not ticket.get("TokenValue"):  # the service's way of saying that it has timed out
            self.ended = True
            raise SessionFailed(f"the session to {self._node_id} has timed out", hint="connect again")
        return ticket


def _trust() -> ssl.SSLContext:
    """Trust what the AWS clients trust, and what the system trusts."""
    context = ssl.create_default_context()
    context.load_verify_locations(aws.ca_bundle())
    return context
