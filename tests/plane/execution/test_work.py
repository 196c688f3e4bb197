"""What a runner does with what it is told, and what it tells."""

from __future__ import annotations

import io
import os
import queue
from typing import IO, Any

import pytest

from sm_ssh_entry.errors import PlaneDown, ServiceError
from sm_ssh_entry.plane import daemon
from sm_ssh_entry.plane.execution.order import Order, read
from sm_ssh_entry.plane.execution.work import GONE, OVERTIME, Stopped, Work
from tests.waiting import wait_until

STATE = daemon.State(1, "http://127.0.0.1:9", "", "", "", "us-east-1", 0.0, "", "", "", "")
ORDER = Order("training", "j", "us-east-1", "arn", {"a": 1}, "processes", "/nowhere", STATE)


class Desk:
    """The writing end of a runner's standard input."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        self.words: IO[bytes] = os.fdopen(read_end, "rb", buffering=0)
        self._sink = os.fdopen(write_end, "wb", buffering=0)
        self.work = Work(ORDER, self.words, lambda _: None)

    def tell(self, word: str) -> None:
        self._sink.write(f"{word}\n".encode())

    def close(self) -> None:
        self._sink.close()


@pytest.fixture
def desk() -> Any:
    made = Desk()
    yield made
    made.close()
    wait_until(lambda: made.work.stopping == GONE)
    made.words.close()


def requests(work: Work) -> int:
    count = 0
    while True:
        try:
            assert work.happened.get_nowait() is None
        except queue.Empty:
            return count
        count += 1


def test_an_order_comes_as_it_was_given() -> None:
    assert read(ORDER.line()) == ORDER


def test_a_stop_counts_once(desk: Desk) -> None:
    desk.work.check()
    desk.tell("stop")
    wait_until(lambda: desk.work.stopping == "stop")
    assert desk.work.status == "Stopping"
    # A second one would kill.
    desk.work.stop("stop")
    desk.work.stop(OVERTIME)
    assert (desk.work.stopping, requests(desk.work)) == ("stop", 1)
    with pytest.raises(Stopped):
        desk.work.check()


@pytest.mark.parametrize(("before", "wanted"), [((), 2), (("stop",), 2)])
def test_the_planes_end_kills_whatever_came_before(before: tuple[str, ...], wanted: int) -> None:
    work = Work(ORDER, io.BytesIO(b"".join(f"{word}\n".encode() for word in before)), lambda _: None)
    wait_until(lambda: work.stopping == GONE)
    wait_until(lambda: work.happened.qsize() == wanted)


def test_an_interruption_is_for_whoever_asked_for_it(desk: Desk) -> None:
    desk.tell("interrupt")
    heard: list[str] = []
    desk.work.on("grow", heard.append)
    desk.tell("grow two more")
    wait_until(lambda: heard == ["two more"])
    assert (desk.work.stopping, requests(desk.work)) == ("", 0)


def test_a_plane_that_is_slow_hears_of_the_end_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    failures: list[Exception] = [PlaneDown("slow"), PlaneDown("slow")]

    def ask(_: daemon.State, _method: str, _route: str, params: dict[str, Any]) -> dict[str, Any]:
        if failures:
            raise failures.pop()
        told.append(params)
        return {}

    monkeypatch.setattr(daemon, "ask", ask)
    desk.work.note("Completed", secondary="Completed", ModelArtifacts={"S3ModelArtifacts": "s3://b/m"})
    (one,) = told
    assert (one["job_status"], one["kind"], one["name"]) == ("Completed", "training", "j")
    assert one["members"] == {"ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"}}
    # One that knows of no such job is not asked again.
    failures.append(ServiceError("no such job"))
    desk.work.note("Completed")
    assert (len(told), failures) == (1, [])


def test_a_plane_that_is_gone_or_was_reset_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(ORDER, io.BytesIO(), lambda _: None)
    wait_until(lambda: work.stopping == GONE)

    def ask(*_: object) -> dict[str, Any]:
        raise AssertionError("nobody is to be asked")

    monkeypatch.setattr(daemon, "ask", ask)
    work.note("Failed")
