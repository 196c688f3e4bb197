"""``sm-ssh forward``: all ports of one command, from taking them to leaving nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.connect import opening, places
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.forwarding import child
from sm_ssh_entry.connect.forwarding.listener import Listener
from sm_ssh_entry.connect.forwarding.pool import Pool, seldom
from sm_ssh_entry.connect.forwarding.spec import Spec
from sm_ssh_entry.connect.forwarding.tunnel import Tunnel
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.connect.places import Place
from sm_ssh_entry.errors import BadInput, SmSshError

DOCUMENT = "AWS-StartPortForwardingSession"
REMOTE_DOCUMENT = "AWS-StartPortForwardingSessionToRemoteHost"
DEFAULT_SESSIONS = 4
# ResumeSession and TerminateSession: a network that is gone must not hold up the next try for long.
_RESCUE_SECONDS = 5.0
_PROGRESS_SECONDS = 2.0
# The agent closes a session to a host that it refuses, its node's metadata service for one, after the handshake.
_FORBIDDEN_SECONDS = 0.5
_FORMS = "sm-ssh connect {name} -N -L {local}:{host}:{port} goes through it with ssh"


@dataclass(frozen=True)
class Order:
    """What the user wants.

    Attributes:
        name: of the node, as it is shown.
        specs: the ports.
        sessions: most sessions for each port.
        command: program and arguments to run meanwhile; ``()``: none, until a signal comes.
    """

    name: str
    specs: tuple[Spec, ...]
    sessions: int = DEFAULT_SESSIONS
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forwarded:
    """One port that listens now.

    Attributes:
        spec: what was asked for.
        port: the local port.
        here: local address and port.
        there: where it leads, for people.
    """

    spec: Spec
    port: int
    here: str
    there: str


def run(
    access: Access,
    place: Place,
    order: Order,
    *,
    announce: Callable[[Sequence[Forwarded]], None],
    say: Callable[[str], None],
) -> int:
    """Forward until a signal comes or the command ends; return the exit status.

    Args:
        access: account and region.
        place: the node.
        order: what to forward.
        announce: called once, when every port listens and a session for it is open.
        say: takes one line for the user.

    Raises:
        BadInput: a port cannot be had.
        SmSshError: the first session of a port could not be started.
    """
    if place.hop:
        spec = order.specs[0]
        hint = _FORMS.format(name=order.name, local=spec.local or spec.port, host=spec.host, port=spec.port)
        raise BadInput(f"{order.name} has no session of its own: only ssh leads there", hint=hint)
    return asyncio.run(_Forwarding(access, place, order, announce, say).run())


class _Forwarding:
    def __init__(
        self,
        access: Access,
        place: Place,
        order: Order,
        announce: Callable[[Sequence[Forwarded]], None],
        say: Callable[[str], None],
    ) -> None:
        self._access, self._place, self._order = access, place, order
        self._announce, self._say = announce, seldom(say)
        self._size = opening.payload_bytes()
        # Clients are made in threads, and what makes them is not made for several at once.
        self._calls = threading.Lock()
        self.ports = [(Listener(spec, spec.there(order.name)), self._pool(spec)) for spec in order.specs]

    async def run(self) -> int:
        """Take the ports, start the sessions, listen, wait; and end everything."""
        stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with _signals(stop, interrupts=not self._order.command):
            try:
                await self._begin(stop)
                if self._order.command and not stop.done():
                    ports = [listener.port for listener, _ in self.ports]
                    return await child.run(self._order.command, child.environment(ports), stop)
                return 128 + await stop
            finally:
                await asyncio.gather(*(listener.close() for listener, _ in self.ports))
                await asyncio.gather(*(pool.end() for _, pool in self.ports))

    async def _begin(self, stop: asyncio.Future[int]) -> None:
        for listener, pool in self.ports:
            await listener.bind(pool.carry)
        waiting = asyncio.get_running_loop().call_later(
            _PROGRESS_SECONDS, self._say, f"starting a session to {self._order.name} for each port"
        )
        starting = asyncio.create_task(_together([pool.begin() for _, pool in self.ports]))  # noqa: RUF006 - awaited below
        awaited: set[asyncio.Future[Any]] = {starting, stop}
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        if stop.done():
            return
        starting.result()
        for listener, _ in self.ports:
            await listener.listen()
            if listener.spec.is_open:
                self._say(f"{listener.here} is open to other machines: whoever reaches it reaches {listener.there}")
        self._announce([Forwarded(one.spec, one.port, one.here, one.there) for one, _ in self.ports])

    def _pool(self, spec: Spec) -> Pool:
        async def start(pool: Pool) -> Tunnel:
            calling = asyncio.ensure_future(asyncio.to_thread(self._ticket, spec))
            try:
                ticket = await asyncio.shield(calling)
            except asyncio.CancelledError:
                with contextlib.suppress(SmSshError):  # What was started meanwhile must not be left behind.
                    session_id = (await calling).session_id
                    await asyncio.to_thread(lambda: opening.terminate(self._client(), session_id))
                raise
            tunnel = Tunnel(ticket, self._client, say=pool.say, refused=pool.refused, size=self._size)
            await tunnel.open(pool.over, settle=_FORBIDDEN_SECONDS if spec.is_remote else 0.0)
            return tunnel

        return Pool(start, most=self._order.sessions, say=self._say, there=spec.there(self._order.name))

    def _ticket(self, spec: Spec) -> Ticket:
        parameters = {"portNumber": str(spec.port)}
        document = DOCUMENT
        if spec.is_remote:
            document, parameters["host"] = REMOTE_DOCUMENT, spec.host
        with self._calls:
            return places.start(self._access, self._place, document, parameters, reason="forward")

    def _client(self) -> Any:
        with self._calls:
            return self._access.client("ssm", timeout=_RESCUE_SECONDS, attempts=1)


async def _together(steps: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Take steps at once, all of them to their end; raise what the first of them raised."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if outcome is not None:
            raise outcome


@contextlib.contextmanager
def _signals(stop: asyncio.Future[int], *, interrupts: bool) -> Iterator[None]:
    """Let signals end us in good order; a second one ends us at once.

    Args:
        stop: given the signal's number.
        interrupts: whether Ctrl-C counts. Else it is for the command, which has the same terminal.
    """
    loop = asyncio.get_running_loop()

    def tell(number: int) -> None:
        if not stop.done():
            stop.set_result(number)

    def end(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(tell, number)

    def ignore(_number: int, _frame: object) -> None:
        """Unlike SIG_IGN this is not handed down to the command."""

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {
        number: signal.signal(number, end if interrupts or number != signal.SIGINT else ignore) for number in numbers
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
