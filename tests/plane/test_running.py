"""A job's nodes until their end: who is stopped when, who is killed, and what the job's end is."""

from __future__ import annotations

import os
import queue
import signal
import threading

import pytest

from sm_ssh_entry.plane.running import End, Events, stop_requests, until_end


class Node:
    """A node that ends when it is told to, with the status that it is told.

    Args:
        name: its name.
        at_once: its status if it ends by itself; None: it does not.
        on_stop: its status after a stop; None: it ignores that.
    """

    def __init__(self, name: str, at_once: int | None = None, on_stop: int | None = None) -> None:
        self.name = name
        self.told: list[str] = []
        self._ended = threading.Event()
        self._on_stop = on_stop
        self._status = 0
        if at_once is not None:
            self._end(at_once)

    def wait(self) -> int:
        self._ended.wait()
        return self._status

    def stop(self) -> None:
        self.told.append("stop")
        if self._on_stop is not None:
            self._end(self._on_stop)

    def kill(self) -> None:
        self.told.append("kill")
        self._end(137)

    def _end(self, status: int) -> None:
        self._status = status
        self._ended.set()


def ended(
    *nodes: Node, requests: int = 0, stop_seconds: float = 600.0, together: bool = False
) -> tuple[End, list[str]]:
    happened: Events = queue.SimpleQueue()
    for _ in range(requests):
        happened.put(None)
    said: list[str] = []
    return until_end(nodes, happened, stop_seconds=stop_seconds, say=said.append, together=together), said


def test_all_that_end_well_are_a_job_that_ends_well() -> None:
    nodes = [Node("algo-1", 0), Node("algo-2", 0)]
    assert ended(*nodes) == (End(0, stopped=False), [])
    assert [node.told for node in nodes] == [[], []]


def test_one_that_serves_no_more_ends_what_serves_beside_it() -> None:
    gone, other = Node("algo-1", 0), Node("algo-2", on_stop=0)
    assert ended(gone, other, together=True)[0] == End(0, stopped=False)
    assert (gone.told, other.told) == ([], ["stop"])


def test_first_failure_stops_the_others_and_is_the_jobs() -> None:
    failed, other = Node("algo-1", 9), Node("algo-2", on_stop=0)
    end, said = ended(failed, other)
    assert end == End(9, stopped=False)
    assert (failed.told, other.told) == ([], ["stop"])
    assert said == ["stopping algo-2: SIGTERM, up to 600 s to end; another Ctrl-C kills at once"]


def test_request_stops_all_whatever_their_status() -> None:
    nodes = [Node("algo-1", on_stop=0), Node("algo-2", on_stop=0)]
    end, said = ended(*nodes, requests=1)
    assert end == End(0, stopped=True)
    assert [node.told for node in nodes] == [["stop"], ["stop"]]
    assert "2 nodes" in said[0]


def test_second_request_kills() -> None:
    node = Node("algo-1")
    assert ended(node, requests=2)[0] == End(137, stopped=True)
    assert node.told == ["stop", "kill"]


def test_deadline_kills_what_ignores_the_stop() -> None:
    node = Node("algo-1")
    assert ended(node, requests=1, stop_seconds=0)[0] == End(137, stopped=True)
    assert node.told == ["stop", "kill"]


def test_failed_job_whose_user_is_impatient_has_failed() -> None:
    failed, other = Node("algo-1", 9), Node("algo-2")
    assert ended(failed, other, stop_seconds=0)[0] == End(9, stopped=False)
    assert other.told == ["stop", "kill"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_requests_and_mean_what_they_did_before_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_requests() as happened:
        os.kill(os.getpid(), number)
        assert happened.get(timeout=120) is None
    assert signal.getsignal(number) is before
