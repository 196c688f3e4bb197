"""What the agent makes of answers that no service should give, from a server that gives them."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator

import pytest

from sm_ssh_entry.plane.agent import service
from sm_ssh_entry.plane.agent.identity import Identity, new_key
from sm_ssh_entry.plane.agent.service import CallError, Service
from sm_ssh_entry.plane.agent.settings import Settings
from sm_ssh_entry.plane.agent.signing import RoleCredentials

ROLE = RoleCredentials("AKID", "secret", "token")
Answering = Callable[[int, bytes], Settings]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Make a server that gives one answer to everything."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def make(status: int, body: bytes) -> Settings:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if not status:
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}"
        return Settings("", url, url)

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "code", "passing"),
    [
        (400, b'{"__type":"InvalidActivation","message":"no"}', "InvalidActivation", False),
        (400, b'{"__type":"com.amazonaws.ssm#ThrottlingException","Message":"slow"}', "ThrottlingException", True),
        (500, b'{"__type":"InternalServerError","message":"oops"}', "", True),
        (502, b"<html>bad gateway</html>", "", True),
        (200, b"[]", "", True),
        (200, b"\xff", "", True),
        (0, b"", "", True),
    ],
)
def test_errors_of_the_api(answering: Answering, status: int, body: bytes, code: str, passing: bool) -> None:
    with pytest.raises(CallError) as caught:
        service.register(answering(status, body), {})
    assert (caught.value.code, caught.value.passing) == (code, passing)


def test_an_empty_answer_is_an_empty_object(answering: Answering) -> None:
    assert service.register(answering(200, b""), {}) == {}


def made(settings: Settings) -> Service:
    return Service(settings, Identity("mi-0123456789abcdef0", "eu-west-1", "f", new_key()))


def test_a_channel_token_needs_201(answering: Answering) -> None:
    xml = b"<R><MessageSchemaVersion>1.0</MessageSchemaVersion><TokenValue>tok+/=</TokenValue></R>"
    assert made(answering(201, xml)).channel_token(ROLE, "control-channel", "mi-1") == "tok+/="
    for status, body in ((200, xml), (201, b"<R></R>"), (201, b"{}")):
        with pytest.raises(CallError):
            made(answering(status, body)).channel_token(ROLE, "control-channel", "mi-1")


def test_a_refused_channel_says_why(answering: Answering) -> None:
    with pytest.raises(CallError, match="HTTP 403: AccessDeniedException not yours") as caught:
        made(answering(403, b"<E><Code>AccessDeniedException</Code>not yours</E>")).channel_token(
            ROLE, "data-channel", "s/1"
        )
    assert caught.value.code == "HTTP 403"


def test_the_address_of_a_channel() -> None:
    there = made(Settings("", "http://127.0.0.1:1", "https://127.0.0.1:2"))
    url, headers = there.channel_address(ROLE, "data-channel", "user-0a/b")
    assert url == "wss://127.0.0.1:2/v1/data-channel/user-0a%2Fb?role=publish_subscribe"
    assert "/eu-west-1/ssmmessages/aws4_request" in headers["Authorization"]
    url, _ = made(Settings("", "http://127.0.0.1:1", "http://127.0.0.1:1")).channel_address(
        ROLE, "control-channel", "mi-1"
    )
    assert url == "ws://127.0.0.1:1/v1/control-channel/mi-1?role=subscribe&stream=input"
