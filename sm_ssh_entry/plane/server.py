"""The plane as a whole: two listeners on loopback, HTTP and HTTPS, that serve everything alike."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from sm_ssh_entry.plane import ca, gateway, job_records, validation
from sm_ssh_entry.plane.admin import Admin
from sm_ssh_entry.plane.api import AwsError, Handler
from sm_ssh_entry.plane.credentials import Credential, Credentials
from sm_ssh_entry.plane.daemon import State
from sm_ssh_entry.plane.environment import client_environment
from sm_ssh_entry.plane.execution import reasons
from sm_ssh_entry.plane.execution.desk import Desk
from sm_ssh_entry.plane.execution.order import Order
from sm_ssh_entry.plane.faults import Faults
from sm_ssh_entry.plane.front import MAX_BODY, Front
from sm_ssh_entry.plane.invocations import Invocations
from sm_ssh_entry.plane.listeners import BACKLOG, Listeners, listening
from sm_ssh_entry.plane.moto_backend import MotoBackend
from sm_ssh_entry.plane.store import Settings, Store

T = TypeVar("T")

HOST = "127.0.0.1"
REGION = "us-east-1"
# What still runs after the sockets were told to close is cancelled after so long: a long poll, as a rule.
_STOP_SECONDS = 0.5


def operations() -> dict[str, Handler]:
    """Return every operation that is ours: handler by X-Amz-Target."""
    from sm_ssh_entry.plane import (
        activations,
        cloudwatch,
        components,
        describe,
        documents_api,
        endpoint_api,
        job_lists,
        messages,
        nodes,
        run_command_api,
        sagemaker_records,
        session_api,
        settings,
        studio,
        submitted,
        tags,
        training_records,
        tuning_records,
    )

    ssm = (activations, describe, documents_api, nodes, run_command_api, session_api, settings, tags)
    table = {f"AmazonSSM.{name}": handler for module in ssm for name, handler in module.OPERATIONS.items()}
    # Behind the records, whose handlers it builds on and takes the place of.
    sagemaker = (
        components,
        endpoint_api,
        job_lists,
        sagemaker_records,
        studio,
        submitted,
        training_records,
        tuning_records,
    )
    table |= {f"SageMaker.{name}": handler for module in sagemaker for name, handler in module.OPERATIONS.items()}
    table |= {f"Logs_20140328.{name}": handler for name, handler in cloudwatch.OPERATIONS.items()}
    return table | {f"EC2WindowsMessageDeliveryService.{name}": one for name, one in messages.OPERATIONS.items()}


class Plane:
    """A local control plane that runs in the current event loop. ``await Plane.start(...)`` makes one.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        tls_url: ``https://127.0.0.1:PORT``.
        ca_file: certificate of the authority behind ``tls_url``.
        bundle_file: the system's certificates and that one.
        region: what ``environment`` names; the plane serves every region.
        store: the state.
        instance: a random name of this very plane, which its status tells.
    """

    def __init__(self, *, settings: Settings | None = None, folder: Path | None = None, region: str = REGION) -> None:
        self.store = Store(settings)
        self.region = region
        self.instance = secrets.token_hex(8)
        self.url = self.tls_url = ""
        self.ca_file = self.bundle_file = Path()
        self.moto = MotoBackend()
        self._own_folder = folder is None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="sm-ssh-plane-"))
        self._listeners: Listeners | None = None
        self._admin = Admin(self.store, self._about, self.reset, lambda: self.listeners)
        self._runner: web.AppRunner | None = None

    @classmethod
    async def start(
        cls,
        *,
        port: int = 0,
        tls_port: int = 0,
        settings: Settings | None = None,
        folder: Path | None = None,
        region: str = REGION,
    ) -> Plane:
        """Start a plane.

        Args:
            port: port of the HTTP listener; 0: any free one, ``url`` says which.
            tls_port: port of the HTTPS listener, likewise.
            settings: what a user may turn.
            folder: where the certificate files go; None: a folder that ``stop`` removes.
            region: region named to clients.

        Raises:
            BadInput: a port is taken.
        """
        plane = cls(settings=settings, folder=folder, region=region)
        try:
            await plane._listen(port, tls_port)
        except BaseException:
            await plane.stop()
            raise
        return plane

    async def __aenter__(self) -> Plane:
        if self._runner is None:
            await self._listen(0, 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def faults(self) -> Faults:
        """Errors and delays on order."""
        return self.store.faults

    @property
    def credentials(self) -> Credentials:
        """The keys that are accepted; ``issue`` makes expired or restricted ones."""
        return self.store.credentials

    @property
    def token(self) -> str:
        """What the routes below ``/_sm-ssh`` ask for, the status excepted."""
        return self._admin.token

    @property
    def listeners(self) -> Listeners:
        """The listeners on networks of containers."""
        if self._listeners is None:
            raise RuntimeError("the plane is not started")
        return self._listeners

    def environment(self, *, tls: bool = False, credential: Credential | None = None) -> dict[str, str]:
        """Return the variables that make an AWS client talk to this plane.

        Args:
            tls: HTTPS rather than HTTP, with the variables by which Python's, the AWS CLI's and Go's programs trust it.
            credential: key to use; None: the user's own.
        """
        return client_environment(
            url=self.tls_url if tls else self.url,
            region=self.region,
            keys=(credential or self.credentials.user).environment(),
            bundle=str(self.bundle_file) if tls else "",
        )

    def status(self) -> dict[str, Any]:
        """Return where the plane is and what it holds, in numbers."""
        return self._admin.status()

    def state(self) -> State:
        """Return what the state file says, and runners are told; it holds keys."""
        user = self.credentials.user
        return State(
            pid=os.getpid(),
            url=self.url,
            tls_url=self.tls_url,
            ca_file=str(self.ca_file),
            bundle_file=str(self.bundle_file),
            region=self.region,
            started=self.store.started,
            instance=self.instance,
            token=self.token,
            access_key=user.access_key,
            secret_key=user.secret,
        )

    async def reset(self) -> None:
        """Forget everything but the user's key, in moto too; channels and sessions are closed."""
        self.store.reset()
        await self.moto.reset()

    async def stop(self) -> None:
        """Close the channels and the listeners, and remove what the plane wrote."""
        for close in self.store.on_reset:
            close()
        if self._listeners is not None:
            await self._listeners.stop()
        if self._runner is not None:
            server = self._runner.server
            transports = [one.transport for one in server.connections if one.transport] if server else []
            await self._runner.cleanup()
            # A client that keeps a TLS connection in its pool never answers our goodbye: asyncio would wait 30 s.
            for transport in transports:
                transport.abort()
            await asyncio.sleep(0)
        await self.moto.stop()
        if self._own_folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _listen(self, port: int, tls_port: int) -> None:
        with contextlib.ExitStack() as sockets:
            plain, tls = (sockets.enter_context(listening(HOST, number)) for number in (port, tls_port))
            authority = await asyncio.to_thread(ca.create, self._folder)
            await asyncio.to_thread(validation.load)
            self.ca_file, self.bundle_file = authority.ca_file, authority.bundle_file
            self._listeners = Listeners(lambda: self._application(self._admin.refuse), authority.certify, _STOP_SECONDS)
            self._runner = web.AppRunner(
                self._application(self._admin.add_routes), access_log=None, shutdown_timeout=_STOP_SECONDS
            )
            await self._runner.setup()
            await web.SockSite(self._runner, plain, backlog=BACKLOG).start()
            await web.SockSite(self._runner, tls, ssl_context=authority.certify(*ca.NAMES), backlog=BACKLOG).start()
            self.url = f"http://{HOST}:{plain.getsockname()[1]}"
            self.tls_url = f"https://{HOST}:{tls.getsockname()[1]}"
            self.store.desk = Desk(self.store.settings.jobs, self._folder, self.state, self._crashed)
            self.store.on_reset.append(self.store.desk.close)
            self.store.desk.sweep()
            sockets.pop_all()

    def _application(self, own_routes: Callable[[web.Application], None]) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        own_routes(app)
        gateway.add_routes(app, self.store)
        front = Front(self.store, operations(), self.moto)
        served = Invocations(self.store, front)
        served.add_routes(app)
        app.on_cleanup.append(served.close)
        app.router.add_route("*", "/{path:.*}", front.handle)
        return app

    def _crashed(self, order: Order, last: str) -> None:
        with contextlib.suppress(AwsError):
            reason = reasons.internal(f"the runner ended: {last}")
            fields = {"kind": order.kind, "name": order.name, "region": order.region, "job_status": "Failed"}
            job_records.note(self.store, fields | {"failure": reason, "secondary": "Failed"})

    def _about(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "pid": os.getpid(),
            "url": self.url,
            "tls_url": self.tls_url,
            "listeners": self.listeners.addresses,
            "region": self.region,
            "started": self.store.started,
        }


class PlaneThread:
    """A plane in an event loop and a thread of its own, for callers that are not asynchronous.

    Args:
        options: what ``Plane.start`` takes.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="plane", daemon=True)
        self._plane: Plane | None = None

    @property
    def plane(self) -> Plane:
        """The plane. Read what does not change (``url``, ``token``); touch its state through ``call`` only."""
        if self._plane is None:
            raise RuntimeError("the plane is not started")
        return self._plane

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return self.plane.url

    @property
    def tls_url(self) -> str:
        """``https://127.0.0.1:PORT``."""
        return self.plane.tls_url

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority behind ``tls_url``."""
        return self.plane.ca_file

    @property
    def store(self) -> Store:
        """The state; see ``plane``."""
        return self.plane.store

    def environment(self, *, tls: bool = False, credential: Credential | None = None) -> dict[str, str]:
        """Return ``Plane.environment``."""
        return self.plane.environment(tls=tls, credential=credential)

    def start(self) -> PlaneThread:
        """Start the thread and the plane; returns when it listens.

        Raises:
            BadInput: a port is taken.
        """
        self._thread.start()
        try:
            self._plane = self.wait(Plane.start(**self._options))
        except BaseException:
            self._end()
            raise
        return self

    def stop(self) -> None:
        """Stop the plane and end the thread; does nothing the second time."""
        if self._thread.is_alive():
            try:
                if self._plane is not None:
                    self.wait(self._plane.stop())
            finally:
                self._end()

    def __enter__(self) -> PlaneThread:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self, work: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
        """Run a coroutine in the plane's loop and return its result.

        Args:
            work: the coroutine.
            timeout: seconds.
        """
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def call(self, function: Callable[[Plane], T]) -> T:
        """Call a function with the plane in the plane's own thread, where its state may be read and changed."""

        async def work() -> T:
            return function(self.plane)

        return self.wait(work())

    def reset(self) -> None:
        """Reset the plane."""
        self.wait(self.plane.reset())

    def _end(self) -> None:
        self.wait(self._loop.shutdown_asyncgens())
        self.wait(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
