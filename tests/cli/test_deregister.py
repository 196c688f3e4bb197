"""``sm-ssh deregister`` as a user meets it: asked first, interrupted, run again."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import uuid

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Activation
from tests.connect.fleet.crowd import OURS, Crowd
from tests.connect.world import Laptop
from tests.waiting import wait_until

ARGV = [sys.executable, "-m", "sm_ssh_entry.cli.main", "deregister"]


@pytest.fixture
def crowd(plane: PlaneThread) -> Crowd:
    return Crowd(plane)


def answered(answer: str, *words: str) -> tuple[int, str]:
    """Run it on a terminal, answer its question, return its status and all that it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*ARGV, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
            if b"[y/N]" in piece:
                os.write(ours, answer.encode() + b"\n")
    except OSError:  # Linux's way of saying that the last writer has gone
        pass
    os.close(ours)
    return process.wait(timeout=120), seen.decode()


def test_twenty_thousand_interrupted_and_run_again(crowd: Crowd, laptop: Laptop) -> None:
    crowd.add("untagged", 17_000, {}, days=400)
    crowd.add("others", 500, {contract.TAG_OWNER: "AROA:me", "Name": "web"}, days=400)
    crowd.add("nearly", 40, {contract.TAG_TIMESTAMP: "1"}, days=400)
    crowd.add("young", 660, OURS, days=6.9)
    crowd.add("online", 300, OURS, days=30, online=True)
    crowd.add("old", 1_500, OURS, days=7.1)
    assert crowd.remaining() == 20_000
    argv = [*ARGV, "--older-than", "7d", "--yes"]

    def stopped_at(removed: int, number: signal.Signals) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
        wait_until(lambda: crowd.remaining() <= 20_000 - removed, timeout=60, what="some to be removed")
        process.send_signal(number)
        return process

    with stopped_at(200, signal.SIGKILL) as killed:
        assert killed.wait(timeout=120) == -signal.SIGKILL
    with stopped_at(500, signal.SIGINT) as interrupted:
        _, errors = interrupted.communicate(timeout=120)
        assert interrupted.returncode == 130
        assert b"run it again to go on" in errors
        assert b"Traceback" not in errors
    done = laptop.run("deregister", "--older-than", "7d", "--yes", timeout=270)
    assert done.returncode == 0, done.stderr
    assert "40 were not ours" in done.stdout
    staying = {node_id for group in ("untagged", "others", "nearly", "young", "online") for node_id in crowd.ids[group]}
    assert crowd.left() == staying


def test_without_a_terminal_it_only_says_what_would_go(crowd: Crowd, laptop: Laptop) -> None:
    ids = crowd.add("dead", 29, OURS, days=2) + crowd.add("deader", 1, OURS, days=4)
    done = laptop.run("deregister")
    assert done.returncode == 0
    assert "30 dead nodes of ours in us-east-1, last heard 4 d ago to 2 d ago" in done.stdout
    assert sum(node_id in done.stdout for node_id in ids) == 20
    assert "and 10 more" in done.stdout
    assert "nothing was removed; --yes" in done.stderr
    assert len(crowd.left()) == 30


def test_on_a_terminal_it_asks(crowd: Crowd, laptop: Laptop) -> None:
    crowd.add("dead", 2, OURS, days=2)
    status, seen = answered("n")
    assert (status, crowd.remaining()) == (0, 2)
    assert "nothing was removed" in seen
    status, seen = answered("y")
    assert (status, crowd.remaining()) == (0, 0)
    assert "removed 2 nodes" in seen


def test_a_day_is_the_least_unless_it_is_said_or_named(crowd: Crowd, laptop: Laptop) -> None:
    (node_id,) = crowd.add("dead", 1, OURS, days=0.5)
    assert "no dead node of ours" in laptop.run("deregister", "--yes").stdout
    assert "no dead node of ours" in laptop.run("deregister", "--yes", "--name", "k.training.sagemaker").stdout
    assert node_id in laptop.run("deregister", "--older-than", "1h").stdout
    assert "removed 1 node" in laptop.run("deregister", "--yes", "--name", "j.training.sagemaker").stdout
    assert crowd.remaining() == 0


def test_json(crowd: Crowd, laptop: Laptop) -> None:
    ids = crowd.add("dead", 2, OURS, days=2)
    dry = json.loads(laptop.run("deregister", "--output", "json").stdout)
    assert {node["node_id"] for node in dry["nodes"]} == set(ids)
    assert (dry["removed"], dry["region"]) == (None, "us-east-1")
    done = json.loads(laptop.run("deregister", "--output", "json", "--yes").stdout)
    assert (done["removed"], done["failed"], crowd.remaining()) == (2, {}, 0)


def test_who_may_not(plane: PlaneThread, crowd: Crowd, laptop: Laptop) -> None:
    crowd.add("dead", 2, OURS, days=2)
    plane.plane.faults.add("DeregisterManagedInstance", "AccessDeniedException")
    done = laptop.run("deregister", "--yes")
    assert done.returncode == 16
    assert "ssm:DeregisterManagedInstance: access denied" in done.stderr
    assert crowd.remaining() == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--older-than", "soon"], "not a span of time"),
        (["--kind", "cooking"], "not a kind of resource"),
        (["--node", "j.training.sagemaker"], "not a managed node's id"),
        (["--name", "j.training.sagemaker", "--kind", "training"], "--name says it all"),
        (["--name", "e.inference.sagemaker"], "do not know its name"),
    ],
)
def test_bad_input_is_one_line(laptop: Laptop, words: list[str], said: str) -> None:
    done = laptop.run("deregister", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_expired_activations_of_ours_go_too(plane: PlaneThread, laptop: Laptop) -> None:
    ids = {name: str(uuid.uuid4()) for name in ("ours", "alive", "other", "untagged")}

    def make(running: Plane) -> None:
        now = running.store.clock()
        for name, expires, description, tags in (
            ("ours", now - 10, "sm-ssh 1.0 job", OURS),
            ("alive", now + 1000, "sm-ssh 1.0 job", OURS),
            ("other", now - 10, "web servers", {}),
            ("untagged", now - 10, "sm-ssh by hand", {}),
        ):
            running.store.activations[ids[name]] = Activation(
                ids[name], "c", "us-east-1", "R", now - 4000, expires, description=description, tags=tags
            )

    plane.call(make)
    assert "1 expired activation of ours" in laptop.run("deregister", "--activations").stdout
    assert len(plane.call(lambda running: running.store.activations)) == 4
    assert laptop.run("deregister", "--activations", "--yes").returncode == 0
    assert set(plane.call(lambda running: list(running.store.activations))) == {
        ids[name] for name in ("alive", "other", "untagged")
    }
