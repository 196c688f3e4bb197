"""``sm-ssh logs`` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from tests.cli.terminal import on_a_terminal
from tests.connect.fleet.writing import Streams
from tests.connect.world import Fleet, Laptop
from tests.waiting import wait_until

TRAINING = "/aws/sagemaker/TrainingJobs"
JOB = "j.training.sagemaker"


@pytest.fixture
def streams(laptop: Laptop) -> Streams:
    return Streams(TRAINING)


def status(plane: PlaneThread, **fields: object) -> None:
    """Let the plane have a training job of that name, or change its status."""
    plane.call(lambda running: job_records.note(running.store, {"name": "j", "region": "us-east-1", **fields}))


def test_one_node_has_no_prefix_and_several_have(streams: Streams, laptop: Laptop) -> None:
    streams.write("j/algo-1-1700000000", [(0, "hello"), (2, "world\n")])
    assert laptop.run("logs", JOB).stdout == "hello\nworld\n"
    streams.write("j/algo-2-1700000000", [(1, "middle")])
    assert laptop.run("logs", JOB).stdout == "algo-1 | hello\nalgo-2 | middle\nalgo-1 | world\n"
    assert laptop.run("logs", JOB, "--node", "algo-2").stdout == "middle\n"
    assert laptop.run("logs", JOB, "-n", "1").stdout == "algo-1 | world\n"
    assert laptop.run("logs", JOB, "--since", "1d", "-n", "2").stdout == "algo-2 | middle\nalgo-1 | world\n"
    assert laptop.run("logs", JOB, "--since", "1m").stdout == ""


def test_a_node_id_means_its_job(streams: Streams, laptop: Laptop, fleet: Fleet) -> None:
    streams.write("j/algo-1-1700000000", [(0, "hello")])
    assert laptop.run("logs", fleet.add("j")).stdout == "hello\n"


def test_json_keeps_the_line_as_it_is(streams: Streams, laptop: Laptop) -> None:
    streams.write("j/algo-1-1700000000", [(0, "\x1b[2Jwild")])
    (line,) = laptop.run("logs", JOB, "--output", "json").stdout.splitlines()
    found = json.loads(line)
    assert {key: found[key] for key in ("node", "stream", "message")} == {
        "node": "algo-1",
        "stream": "j/algo-1-1700000000",
        "message": "\x1b[2Jwild",
    }
    assert found["time"].endswith("+00:00")


def test_a_terminal_gets_colours_and_nothing_else(streams: Streams, laptop: Laptop) -> None:
    streams.write("j/algo-1-1700000000", [(0, "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[0m \x07end")])
    assert on_a_terminal("logs", JOB) == "\x1b[31mred\x1b[0m end\x1b[0m\r\n"


def test_no_log_says_how_the_job_is(plane: PlaneThread, laptop: Laptop) -> None:
    done = laptop.run("logs", JOB, timeout=270)  # every region is looked into before it says so
    assert done.returncode == 10
    assert "there is no training job j" in done.stderr
    status(plane, nodes=1)
    done = laptop.run("logs", JOB)
    assert done.returncode == 1
    assert "training job j is InProgress, Training and has not logged anything" in done.stderr
    assert "--follow waits for it" in done.stderr


def test_following_ends_with_the_job(
    plane: PlaneThread, streams: Streams, laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    status(plane, nodes=1)
    script = (
        "import sys; from sm_ssh_entry.connect.fleet import log_events; from sm_ssh_entry.cli import logs, main;"
        "log_events._POLL = 0.05; log_events._DRAIN = 0.3; logs._ASK = 0.1; sys.exit(main.main(sys.argv[1:]))"
    )
    argv = [sys.executable, "-c", script, "logs", JOB, "--follow"]
    seen: list[str] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert process.stdout
        assert "waiting for it" in process.stderr.readline()
        streams.write("j/algo-1-1700000000", [(0, "one")])
        wait_until(lambda: seen.append(process.stdout.readline()) or seen)  # type: ignore[func-returns-value,union-attr]
        assert seen == ["one\n"]
        status(plane, job_status="Completed")
        streams.write("j/algo-1-1700000000", [(1, "last")])
        assert process.stdout.read() == "last\n"
        assert process.wait(timeout=120) == 0


def test_names_that_cannot_be(laptop: Laptop) -> None:
    done = laptop.run("logs", "app.studio.sagemaker")
    assert done.returncode == 2
    assert "does not say where its log is" in done.stderr
