"""A real HTTP server that publishes files, knows ranges, remembers what it was asked, and fails as it is told."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer.

    Args:
        status: answer with it instead.
        cut: break the connection after so many bytes of the body.
        hold: after the cut, keep the connection open and silent until this is set.
        wrong: give these bytes instead.
        ranges: whether ranges are known.
    """

    status: int = 0
    cut: int = -1
    hold: threading.Event | None = None
    wrong: bytes | None = None
    ranges: bool = True


@dataclass
class Publisher:
    """What is published, and what was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[tuple[str, str, Message]] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    together: threading.Barrier | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.url + path

    def fail(self, path: str, *faults: Fault) -> None:
        self.faults[path].extend(faults)

    def gets(self, path: str = "") -> list[Message]:
        return [headers for method, at, headers in self.asked if method == "GET" and (at == path or not path)]


@contextmanager
def publisher() -> Iterator[Publisher]:
    site = Publisher()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            with site.lock:
                site.asked.append((self.command, self.path, self.headers))
                site.busy += 1
                site.busiest = max(site.busiest, site.busy)
                queue = site.faults[self.path]
                fault = queue.popleft() if queue and body else Fault()
            try:
                if site.together and body:
                    site.together.wait(120)
                self._send(fault, body=body)
            finally:
                with site.lock:
                    site.busy -= 1

        def _send(self, fault: Fault, *, body: bool) -> None:
            content = site.files.get(self.path)
            if fault.status or content is None:
                self.send_response(fault.status or 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = content if fault.wrong is None else fault.wrong
            tag = site.tags.get(self.path, "")
            asked = self.headers.get("Range", "")
            begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and fault.ranges else 0
            if self.headers.get("If-Range", tag) != tag:
                begin = 0
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            if tag:
                self.send_header("ETag", tag)
            if self.path.endswith("/"):
                self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            if not body:
                return
            part = content[begin:]
            self.wfile.write(part if fault.cut < 0 else part[: fault.cut])
            if fault.cut >= 0:
                self.wfile.flush()
                if fault.hold:
                    fault.hold.wait(120)
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that goes away is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
