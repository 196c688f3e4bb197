"""An endpoint is in service when /ping says 200, and somebody hears of it once."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from sm_ssh_entry.plane.serving import Pings, ping
from tests.waiting import wait_until


class Endpoint(http.server.ThreadingHTTPServer):
    """Answers /ping with 503 a few times, then with 200."""

    loading = 3

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Endpoint)
        self.server.asked += 1
        self.send_response(200 if self.server.asked > self.server.loading else 503)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Keep quiet."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_told_once_when_it_is_ready(endpoint: Endpoint) -> None:
    said: list[str] = []
    where = f"127.0.0.1:{endpoint.server_port}"
    with Pings(where, said.append):
        wait_until(lambda: said, what="in service")
    assert said == [f"in service: GET http://{where}/ping answers 200; POST to /invocations there"]
    assert endpoint.asked == Endpoint.loading + 1


def test_told_when_the_service_would_give_up(endpoint: Endpoint) -> None:
    endpoint.loading = 1 << 30
    said: list[str] = []
    with Pings(f"127.0.0.1:{endpoint.server_port}", said.append, start_seconds=0):
        wait_until(lambda: said, what="given up")
    assert "SageMaker would give it up now" in said[0]


def test_end_of_the_job_ends_the_pings(endpoint: Endpoint) -> None:
    endpoint.loading = 1 << 30
    before = threading.active_count()
    with Pings(f"127.0.0.1:{endpoint.server_port}", lambda _: None):
        wait_until(lambda: endpoint.asked > 1, what="asked")
    wait_until(lambda: threading.active_count() <= before, what="its thread has ended")


def test_nobody_there_is_no_answer() -> None:
    assert ping("127.0.0.1:9") == 0
