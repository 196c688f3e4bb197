"""What the tests of ``sm-ssh forward`` forward to, and the command itself as a process."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import socket
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.end_to_end.machine import SM_SSH, Machine
from tests.waiting import wait_until

Serve = Callable[[socket.socket], None]


def content(name: str, size: int) -> bytes:
    """Return bytes that no other name has."""
    return hashlib.shake_256(name.encode()).digest(size)


class Pages(http.server.BaseHTTPRequestHandler):
    """``GET /SIZE/NAME`` answers with ``content``; one connection serves many requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        _, size, name = self.path.split("/")
        body = content(name, int(size))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Http(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextlib.contextmanager
def pages() -> Iterator[int]:
    """Serve pages from threads; give the port."""
    with _Http(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(timeout=120)


@contextlib.contextmanager
def serving(serve: Serve, port: int = 0) -> Iterator[int]:
    """Serve each connection in a thread; give the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 256
        allow_reuse_address = True

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(timeout=120)


def echo(connection: socket.socket) -> None:
    """Send everything back until the end."""
    while data := connection.recv(65536):
        connection.sendall(data)


def closed_port() -> int:
    """Return a port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def connect(port: int) -> socket.socket:
    """Connect to a forwarded port."""
    return socket.create_connection(("127.0.0.1", port), timeout=120)


def read(connection: socket.socket, count: int) -> bytes:
    """Read so many bytes, or up to the end."""
    found = bytearray()
    while len(found) < count and (data := connection.recv(min(65536, count - len(found)))):
        found += data
    return bytes(found)


class Forward:
    """``sm-ssh forward`` as a process that listens."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self._log = process, log
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, self.log
        self.announced: dict[str, Any] = json.loads(line)
        self.ports = [int(one["local_port"]) for one in self.announced["forwards"]]

    @property
    def log(self) -> str:
        """What it said on standard error so far."""
        return self._log.read_text()

    def saw(self, text: str, times: int = 1) -> None:
        """Wait until it has said something."""
        wait_until(lambda: self.log.count(text) >= times, 60, what=f"{text}\n{self.log}")

    def end(self, number: int) -> int:
        """Send a signal and return the status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=120)


@contextlib.contextmanager
def forwarding(machine: Machine, *words: str, log: Path, env: Mapping[str, str] | None = None) -> Iterator[Forward]:
    """Run ``sm-ssh forward`` until the block ends."""
    with log.open("w") as said:
        process = subprocess.Popen(
            [*SM_SSH, "forward", "--output", "json", *words],
            env={**machine.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    try:
        yield Forward(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=120)
        if process.stdout is not None:
            process.stdout.close()
