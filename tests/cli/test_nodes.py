"""``sm-ssh list`` and ``sm-ssh wait`` as a user meets them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

from tests.connect.world import Fleet, Laptop

ARGV = [sys.executable, "-m", "sm_ssh_entry.cli.main"]


def on_a_terminal(*words: str) -> str:
    """Run a command with a terminal as its standard output and return what it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*ARGV, *words], stdout=theirs, env={**os.environ, "COLUMNS": "200", "TERM": "dumb"})
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:  # Linux's way of saying that the last writer has gone
        pass
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return seen.decode()


def test_list_in_a_pipe_is_plain(fleet: Fleet, laptop: Laptop) -> None:
    lost = fleet.add("gone", online=False)
    here = fleet.add("here", "algo-2")
    done = laptop.run("list")
    assert (done.returncode, done.stderr) == (0, "")
    heading, first, second = done.stdout.splitlines()
    assert heading.split("  ")[0] == "NAME"
    assert first.split()[:3] == ["algo-2.here.training.sagemaker", here, "Online"]
    assert second.split()[:3] == ["algo-1.gone.training.sagemaker", lost, "ConnectionLost"]
    assert "2 h ago" in second


def test_list_of_one_kind_as_json(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("p", kind="processing")
    node_id = fleet.add("t")
    done = laptop.run("list", "training.sagemaker", "--output", "json")
    (found,) = json.loads(done.stdout)
    assert {key: found[key] for key in ("name", "node_id", "kind", "resource", "node", "status")} == {
        "name": "algo-1.t.training.sagemaker",
        "node_id": node_id,
        "kind": "training",
        "resource": "t",
        "node": "algo-1",
        "status": "Online",
    }
    assert found["last_heard"]
    assert found["registered"]


def test_list_on_a_terminal_is_a_table(fleet: Fleet, laptop: Laptop) -> None:
    node_id = fleet.add("t")
    shown = on_a_terminal("list")
    assert "LAST HEARD" in shown
    assert node_id in shown


def test_list_of_nothing_and_of_an_unknown_kind(laptop: Laptop) -> None:
    assert json.loads(laptop.run("list", "--output", "json").stdout) == []
    assert laptop.run("list", "cooking.sagemaker").returncode == 2


def test_list_in_a_region_that_is_none(laptop: Laptop) -> None:
    laptop.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    done = laptop.run("list", "--region", "mars-north-1")
    assert done.returncode == 17
    assert done.stderr.startswith("sm-ssh: 'mars-north-1' is not a region")


def test_wait_prints_the_id_and_tells_its_progress_apart(fleet: Fleet, laptop: Laptop) -> None:
    node_id = fleet.add("t")
    done = laptop.run("wait", "t.training.sagemaker", "--timeout", "10")
    assert (done.returncode, done.stdout) == (0, node_id + "\n")
    assert done.stderr.strip().endswith(f"t.training.sagemaker: Online as {node_id}")


def test_wait_has_a_deadline(fleet: Fleet, laptop: Laptop) -> None:
    node_id = fleet.add("t", online=False)
    done = laptop.run("wait", node_id, "--timeout", "0.2")
    assert (done.returncode, done.stdout) == (26, "")
    assert "hint" in done.stderr
