"""A server on loopback as a model's container: how it is waited for, asked and asked again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sm_ssh_entry.plane.execution import invoking
from sm_ssh_entry.plane.execution.invoking import Client, Interrupted, Refused, Unanswered

Answer = tuple[int, bytes]


class Model:
    """Answers with what is next in its list, the last one again and again; keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(b"")

            def do_POST(self) -> None:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(body)

            def answer(self, body: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                model.asked.append((f"{self.command} {self.path}", headers, body))
                status, content = model.answers.pop(0) if len(model.answers) > 1 else model.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.where = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Model]]:
    monkeypatch.setattr(invoking, "_RETRY_PAUSE", 0.001)
    monkeypatch.setattr(invoking, "_PING_PAUSE", 0.001)
    made: list[Model] = []

    def make(*answers: Answer) -> Model:
        made.append(Model(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def client(model: Model, **more: object) -> Client:
    headers = {"Content-Type": "text/csv", "Accept": "text/plain"}
    return Client(model.where, threading.Event(), headers, **more)  # type: ignore[arg-type]


def test_a_container_is_ready_when_ping_answers_200(model: Callable[..., Model]) -> None:
    one = model((503, b""), (404, b""), (200, b""))
    client(one).wait(120)
    assert [asked for asked, _, _ in one.asked] == ["GET /ping"] * 3


def test_one_that_never_is(model: Callable[..., Model]) -> None:
    with pytest.raises(Unanswered, match="ping"):
        client(model((500, b""))).wait(0.01)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ((200, b'{"MaxConcurrentTransforms": 4}'), {"MaxConcurrentTransforms": 4}),
        ((404, b"{}"), {}),
        ((200, b"no json"), {}),
        ((200, b"[1]"), {}),
    ],
)
def test_execution_parameters_are_a_wish(model: Callable[..., Model], answer: Answer, wanted: dict[str, int]) -> None:
    assert client(model(answer)).parameters() == wanted


def test_an_invocation_carries_the_job_s_headers(model: Callable[..., Model]) -> None:
    one = model((200, b"0.5\n"))
    assert client(one).invoke(b"1,2\n") == b"0.5\n"
    ((asked, headers, body),) = one.asked
    assert (asked, body) == ("POST /invocations", b"1,2\n")
    assert (headers["content-type"], headers["accept"]) == ("text/csv", "text/plain")


def test_a_file_is_streamed_and_streamed_again(model: Callable[..., Model], tmp_path: Path) -> None:
    content = b"line\n" * 50_000
    (tmp_path / "large").write_bytes(content)
    one = model((500, b""), (200, b"ok"))
    assert client(one).invoke(tmp_path / "large") == b"ok"
    assert [(headers["transfer-encoding"], body) for _, headers, body in one.asked] == [("chunked", content)] * 2


def test_what_is_refused_is_not_tried_again(model: Callable[..., Model]) -> None:
    one = model((415, b"no csv"))
    with pytest.raises(Refused) as refused:
        client(one).invoke(b"1")
    assert (refused.value.status, refused.value.message, len(one.asked)) == (415, "no csv", 1)


def test_what_fails_is_tried_again_as_often_as_asked_for(model: Callable[..., Model]) -> None:
    passing = model((500, b""), (503, b""), (200, b"ok"))
    assert client(passing, retries=2).invoke(b"1") == b"ok"
    failing = model((500, b"broken"))
    with pytest.raises(Unanswered, match="500: broken"):
        client(failing, retries=2).invoke(b"1")
    assert len(failing.asked) == 3


def test_nobody_answers() -> None:
    gone = Client("127.0.0.1:9", threading.Event(), {}, retries=0)
    with pytest.raises(Unanswered, match="no answer"):
        gone.invoke(b"1")


def test_the_job_s_end_ends_the_tries(model: Callable[..., Model]) -> None:
    one = client(model((500, b"")))
    one.over.set()
    with pytest.raises(Interrupted):
        one.invoke(b"1")
    with pytest.raises(Interrupted):
        one.wait(120)
