"""One forwarded port over an ``ssh`` of its own, for as long as somebody wants it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sm_ssh_entry import command
from sm_ssh_entry.connect import keys, ssh_client
from sm_ssh_entry.connect.launch import node
from sm_ssh_entry.connect.launch.node import Remote
from sm_ssh_entry.connect.launch.servers import Server
from sm_ssh_entry.errors import NotFound, SmSshError, TimedOut

_OPEN_SECONDS = 60.0
_END_SECONDS = 5.0
_ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class Tunnel:
    """A forwarded port.

    Attributes:
        port: on 127.0.0.1 of the laptop.
        process: its ``ssh``.
        kept: what that noted.
    """

    port: int
    process: command.Popen[bytes]
    kept: ssh_client.Notes

    def hold(self) -> None:
        """Stay until it breaks.

        Raises:
            SmSshError: why it broke.
        """
        self.process.wait()
        raise self.reason()

    def reason(self) -> SmSshError:
        """Return why its ``ssh`` ended."""
        return node.reason(self.kept, (self.kept.folder / "stderr").read_text(encoding="utf-8", errors="replace"))


@contextlib.contextmanager
def opened(remote: Remote, remote_port: int, *, local_port: int = 0) -> Iterator[Tunnel]:
    """Forward a port until the block ends.

    Args:
        remote: the node.
        remote_port: port on the node's own 127.0.0.1.
        local_port: wanted here; 0: the same number where it is free, else any.

    Raises:
        SmSshError: the node was not reached, or the local port is taken.
    """
    port = local_port or _free_port(remote_port)
    with ssh_client.notes() as kept, node.log_file(kept) as log, log.open("wb") as errors:
        options = ("-N", "-T", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:{remote_port}")
        argv = remote.ssh(kept, keys.candidates(remote.reach.identity), options, ())
        process = command.spawn(argv, stderr=errors)
        try:
            tunnel = Tunnel(port, process, kept)
            _await_listener(tunnel)
            yield tunnel
        finally:
            _end(process)


def await_answer(tunnel: Tunnel, server: Server, *, patience: float) -> None:
    """Wait until the server on the node answers through the tunnel.

    Args:
        tunnel: the way to it.
        server: what it is.
        patience: seconds.

    Raises:
        NotFound: nothing listens there.
        SmSshError: the tunnel broke.
    """
    pause, deadline = threading.Event(), time.monotonic() + patience
    while True:
        if _answers(tunnel.port, server):
            return
        if tunnel.process.poll() is not None:
            raise tunnel.reason()
        if time.monotonic() > deadline:
            raise NotFound(
                f"nothing answers on port {server.port} of the node", hint="--start starts it, --port names another"
            )
        pause.wait(0.3)


def _answers(port: int, server: Server) -> bool:
    """Whether a server says anything at all: a byte of HTTP, TLS's handshake, or VNC's greeting (RFC 6143, 7.1.1)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS) as connection:
            if server.scheme == "vnc":
                return connection.recv(4) == b"RFB "
            if server.scheme == "https":
                # The certificate is Jupyter's own for the node's name; the way there is ssh, which has checked it.
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.wrap_socket(connection).close()
                return True
            connection.sendall(b"HEAD / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False


def _await_listener(tunnel: Tunnel) -> None:
    pause, deadline = threading.Event(), time.monotonic() + _OPEN_SECONDS
    while time.monotonic() < deadline:
        if tunnel.process.poll() is not None:
            raise tunnel.reason()
        with socket.socket() as probe:
            probe.settimeout(_ANSWER_SECONDS)
            if probe.connect_ex(("127.0.0.1", tunnel.port)) == 0:
                return
        pause.wait(0.05)
    raise TimedOut(f"ssh did not open port {tunnel.port} within {_OPEN_SECONDS:g} s", hint="sm-ssh connect NAME -v")


def _free_port(wanted: int) -> int:
    for port in (wanted if wanted >= 1024 else 0, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as probe:
                return int(probe.getsockname()[1])
        except OSError:
            continue
    raise SmSshError("there is no free local port", hint="name one with --local-port")


def _end(process: command.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_END_SECONDS)
        except command.Expired:
            process.kill()
            process.wait()
