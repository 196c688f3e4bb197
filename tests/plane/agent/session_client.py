"""The laptop's end of a session for tests: ``wire``'s client over a real WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from sm_ssh_entry.pump import Pump, PumpError, open_websocket
from sm_ssh_entry.wire import events
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.message import PayloadType
from sm_ssh_entry.wire.openers import OpenClientChannel

LIMIT = 120.0


class Session:
    """A client's view of one session."""

    def __init__(self, ssm: Any, started: dict[str, Any], *, version: str = "1.2.700.0", payload: int = 32768) -> None:
        self.session_id: str = started["SessionId"]
        self._ssm = ssm
        self._started = started
        self._dialled = False
        self._version = version
        self.channel = DataChannel(
            Role.CLIENT,
            new_id=uuid.uuid4,
            epoch=time.time() - time.monotonic(),
            client_version=version,
            max_payload=payload,
            handshake_timeout=LIMIT,
        )
        self.pump = Pump(self.channel, self._dial, redial_for=5.0)
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.flags: list[int] = []
        self.sizes: list[int] = []
        self.exit_code: int | None = None
        self.closed: str | None = None
        self.ready = False
        self._changed = asyncio.Event()

    async def _dial(self) -> Any:
        if self._dialled:
            # As the official client: a token opens one channel.
            self._started = await asyncio.to_thread(lambda: self._ssm.resume_session(SessionId=self.session_id))
        self._dialled = True
        opener = OpenClientChannel(self._started["TokenValue"], str(uuid.uuid4()), str(uuid.uuid4()), self._version)
        return await open_websocket(self._started["StreamUrl"], opener.encode(), proxy=False)

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.DataReceived):
            (self.stderr if event.kind is PayloadType.STDERR else self.stdout).extend(event.data)
            self.sizes.append(len(event.data))
        elif isinstance(event, events.FlagReceived):
            self.flags.append(event.value)
        elif isinstance(event, events.ExitCodeReceived):
            self.exit_code = event.code
        elif isinstance(event, events.ChannelClosed):
            self.closed = event.output
        elif isinstance(event, events.HandshakeCompleted | events.HandshakeSkipped):
            self.ready = True
        self._changed.set()

    @property
    def exited(self) -> bool:
        """Whether an exit code has come."""
        return self.exit_code is not None

    async def until(self, predicate: Callable[[], Any], what: str = "", timeout: float = LIMIT) -> Any:
        """Wait for something that an event brings; fail with what was seen."""

        async def wait() -> Any:
            while not (found := predicate()):
                self._changed.clear()
                await self._changed.wait()
            return found

        try:
            return await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what or predicate}: {bytes(self.stdout[-2000:])!r} {self.closed!r}") from None

    async def expect(self, text: bytes) -> bytes:
        """Wait for a text in the output and take everything up to its end."""
        await self.until(lambda: text in self.stdout, f"no {text!r}")
        end = self.stdout.index(text) + len(text)
        taken = bytes(self.stdout[:end])
        del self.stdout[:end]
        return taken

    async def end(self) -> str:
        """Wait for the end of the session and return what the service says of it."""
        await self.until(lambda: self.closed is not None, "not closed")
        return str(self.closed)

    async def send(self, data: bytes) -> None:
        await self.pump.send_data(data)


@contextlib.asynccontextmanager
async def session(
    ssm: Any,
    node_id: str,
    document: str | None = None,
    *,
    version: str = "1.2.700.0",
    payload: int = 32768,
    **parameters: str,
) -> AsyncIterator[Session]:
    """Start a session and be its client."""
    request: dict[str, Any] = {"Target": node_id}
    if document is not None:
        request["DocumentName"] = document
    if parameters:
        request["Parameters"] = {name: [value] for name, value in parameters.items()}
    started = await asyncio.to_thread(lambda: ssm.start_session(**request))
    async with following(ssm, started, version=version, payload=payload) as client:
        yield client


@contextlib.asynccontextmanager
async def following(
    ssm: Any, started: dict[str, Any], *, version: str = "1.2.700.0", payload: int = 32768
) -> AsyncIterator[Session]:
    """Be the client of a session that was started; at the end the client says goodbye, as ours does."""
    client = Session(ssm, started, version=version, payload=payload)

    def take(event: events.Event) -> None:
        client.take(event)  # looked up each time: a test may replace it

    running = asyncio.create_task(client.pump.run(take))
    try:
        yield client
    finally:
        if not running.done():
            await client.pump.terminate()
            await client.pump.close()
        await asyncio.gather(running, return_exceptions=True)
        error = None if running.cancelled() else running.exception()
        if error is not None and not isinstance(error, PumpError):
            raise error
