"""Reading logs from CloudWatch Logs as moto serves it: the newest, those since, those that come."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.fleet import log_places
from sm_ssh_entry.connect.fleet.log_events import Line, Log
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.fleet.writing import Streams
from tests.connect.world import Laptop
from tests.waiting import wait_until

TRAINING = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def streams(laptop: Laptop) -> Streams:
    return Streams(TRAINING)


def log(name: str = "j.training.sagemaker") -> Log:
    return Log(aws.client("logs"), log_places.places(names.parse(name)))


def test_streams_are_merged_and_the_newest_are_taken(streams: Streams) -> None:
    streams.write("j/algo-1-1700000000", [(second, f"one {second}") for second in range(0, 20, 2)])
    streams.write("j/algo-2-1700000001", [(second, f"two {second}") for second in range(1, 21, 2)])
    streams.write("j/algo-1-1700000000/ssm", [(50, "agent")])
    streams.write("jj/algo-1-1700000000", [(60, "another job")])
    lines = log().newest(5)
    assert [(line.label, line.text) for line in lines] == [
        ("algo-2", "two 15"),
        ("algo-1", "one 16"),
        ("algo-2", "two 17"),
        ("algo-1", "one 18"),
        ("algo-2", "two 19"),
    ]
    assert [line.text for line in log("algo-1.j.training.sagemaker").newest(2)] == ["one 16", "one 18"]


def test_more_than_one_page(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sm_ssh_entry.connect.fleet.log_events._PAGE", 7)
    streams.write("j/algo-1-1700000000", [(second, str(second)) for second in range(30)])
    assert [line.text for line in log().newest(20)] == [str(second) for second in range(10, 30)]
    assert len(log().newest(100)) == 30


def test_since(streams: Streams) -> None:
    streams.write("j/algo-1-1700000000", [(second, str(second)) for second in range(10)])
    start = streams.at(4)
    assert [line.text for line in log().since(start)] == [str(second) for second in range(4, 10)]


def test_nothing_there(streams: Streams) -> None:
    assert not log().exists()
    assert log().newest(3) == []
    assert list(log().since(0)) == []
    streams.write("other/algo-1-1700000000", [(0, "x")])
    assert not log().exists()


def followed(start: list[Line], ended: threading.Event, since: int = 0) -> tuple[list[Line], threading.Thread]:
    came: list[Line] = []

    def work() -> None:
        for line in log().follow(start, since, ended=ended.is_set, poll=0.02, drain=0.3):
            came.append(line)  # noqa: PERF402 - each is seen as it comes

    thread = threading.Thread(target=work)
    thread.start()
    return came, thread


def test_following_tells_each_line_once_and_ends_after_the_job(streams: Streams) -> None:
    streams.write("j/algo-1-1700000000", [(0, "old"), (20, "first"), (21, "same"), (21, "same")])
    ended = threading.Event()
    shown = log().newest(2)
    came, thread = followed(shown, ended)
    streams.write("j/algo-1-1700000000", [(22, "third"), (22, "third")])
    # A node that begins to log later, and a line of it that is older than what was shown last but in the overlap.
    streams.write("j/algo-2-1700000009", [(21.5, "late"), (23, "other node")])
    wait_until(lambda: len(came) >= 4)
    ended.set()
    streams.write("j/algo-1-1700000000", [(24, "after the end")])
    thread.join(120)
    assert not thread.is_alive()
    assert sorted(line.text for line in came) == ["after the end", "late", "other node", "third", "third"]


def test_following_what_is_not_there_yet(streams: Streams) -> None:
    ended = threading.Event()
    came, thread = followed([], ended)
    streams.write("j/algo-1-1700000000", [(0, "a"), (1, "b")])
    wait_until(lambda: len(came) == 2)
    ended.set()
    thread.join(120)
    assert [line.text for line in came] == ["a", "b"]


def test_throttling_is_waited_out(streams: Streams, plane: PlaneThread, monkeypatch: pytest.MonkeyPatch) -> None:
    streams.write("j/algo-1-1700000000", [(0, "a")])
    plane.plane.faults.add("GetLogEvents", "ThrottlingException", times=2)
    client: Any = aws.client("logs", attempts=1)
    found = Log(client, log_places.places(names.parse("j.training.sagemaker"))).newest(1)
    assert [line.text for line in found] == ["a"]
