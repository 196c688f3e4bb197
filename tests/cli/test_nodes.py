"""``sm-ssh list`` and ``sm-ssh wait`` as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sm_ssh_entry import aws, contract
from sm_ssh_entry.plane.server import PlaneThread
from tests.cli.terminal import on_a_terminal
from tests.connect.fleet.crowd import OURS, Crowd
from tests.connect.world import Fleet, Laptop


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


def test_list_of_a_name_shows_its_nodes_and_asks_for_no_others(fleet: Fleet, laptop: Laptop) -> None:
    lost = fleet.add("t", "algo-1", online=False)
    second = fleet.add("t", "algo-2", registered=-60)
    first = fleet.add("t", "algo-1", registered=-7200)
    fleet.add("other")
    fleet.add("t", kind="processing")
    found = json.loads(laptop.run("list", "t.training.sagemaker", "--output", "json").stdout)
    assert [one["node_id"] for one in found] == [first, second, lost]
    assert [one["status"] for one in found] == ["Online", "Online", "ConnectionLost"]
    (one,) = json.loads(laptop.run("list", "algo-2.t.training.sagemaker", "--output", "json").stdout)
    assert one["name"] == "algo-2.t.training.sagemaker"
    assert laptop.run("list", second).stdout.splitlines()[1].split()[1] == second
    assert laptop.run("list", "nobody.training.sagemaker", "--output", "json").stdout == "[]\n"
    refused = laptop.run("list", "t.training.sagemaker", "training.sagemaker")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "names of nodes go with no kind" in refused.stderr


def test_list_on_a_terminal_is_a_table(fleet: Fleet, laptop: Laptop) -> None:
    node_id = fleet.add("t")
    shown = on_a_terminal("list")
    assert "LAST HEARD" in shown
    assert node_id in shown


def test_list_on_a_terminal_shows_some_and_says_so(plane: PlaneThread, laptop: Laptop) -> None:
    Crowd(plane).add("lost", 230, OURS, days=3)
    assert on_a_terminal("list", "--status", "lost").count("ConnectionLost") == 200
    assert on_a_terminal("list", "--status", "lost", "--limit", "0").count("ConnectionLost") == 230


def test_list_shows_owners_only_where_there_are_any(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("t")
    assert "OWNER" not in on_a_terminal("list")
    fleet.add("o", tags={contract.TAG_OWNER: "AROA:somebody"})
    assert "AROA:somebody" in on_a_terminal("list")


def test_list_on_a_narrow_terminal_keeps_names_whole(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("t", tags={contract.TAG_OWNER: "AROA:somebody"})
    shown = on_a_terminal("list", columns=75)
    assert "algo-1.t.training.sagemaker" in shown
    assert "OWNER" not in shown
    assert "LAST HEARD" in shown
    assert "algo-1.t.training.sagemaker" in on_a_terminal("list", columns=60)


def test_list_of_mine(fleet: Fleet, laptop: Laptop) -> None:
    me = aws.client("sts").get_caller_identity()["UserId"]
    mine = fleet.add("mine", tags={contract.TAG_OWNER: me})
    fleet.add("other", tags={contract.TAG_OWNER: "AROA:somebody"})
    (found,) = json.loads(laptop.run("list", "--owner", "me", "--output", "json").stdout)
    assert (found["node_id"], found["owner"]) == (mine, me)


def test_list_of_several_regions(fleet: Fleet, laptop: Laptop) -> None:
    here = fleet.add("here")
    there = fleet.add("there", region="eu-west-1")
    done = laptop.run("list", "--region", "us-east-1", "--region", "eu-west-1", "--output", "json")
    found = {one["node_id"]: one["region"] for one in json.loads(done.stdout)}
    assert found == {here: "us-east-1", there: "eu-west-1"}
    plain = laptop.run("list", "--region", "us-east-1", "--region", "eu-west-1").stdout
    assert plain.splitlines()[0].endswith("REGION")


def test_list_of_all_regions(fleet: Fleet, laptop: Laptop) -> None:
    there = fleet.add("there", region="ap-southeast-2")
    done = laptop.run("list", "--all-regions", "--status", "online", "--output", "json", timeout=180)
    (found,) = json.loads(done.stdout)
    assert (found["node_id"], found["region"], done.stderr) == (there, "ap-southeast-2", "")


def test_a_region_that_does_not_answer_is_a_note(fleet: Fleet, plane: PlaneThread, laptop: Laptop) -> None:
    fleet.add("here")
    argv = [sys.executable, "-c", UNREACHABLE, "list", "--region", "us-east-1", "--region", "eu-west-1"]
    done = laptop.call(argv)
    assert done.returncode == 0
    assert "algo-1.here.training.sagemaker" in done.stdout
    assert "sm-ssh: eu-west-1: " in done.stderr


UNREACHABLE = """
import sys
from sm_ssh_entry import aws
from sm_ssh_entry.cli import main
from sm_ssh_entry.errors import Unreachable
real = aws.client
def client(service, *, region=None, **options):
    if region == "eu-west-1":
        raise Unreachable("the AWS endpoint does not answer")
    return real(service, region=region, **options)
aws.client = client
sys.exit(main.main(sys.argv[1:]))
"""


def test_list_is_there_as_it_comes(plane: PlaneThread, laptop: Laptop) -> None:
    Crowd(plane).add("lost", 5_000, OURS, days=3)
    argv = [sys.executable, "-m", "sm_ssh_entry.cli.main", "list", "--status", "lost"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout
        assert listing.stderr
        assert all(listing.stdout.readline() for _ in range(3))
        listing.stdout.close()
        assert listing.stderr.read() == ""
        assert listing.wait(timeout=120) != 0, "it ends with its reader"


@pytest.mark.parametrize("form", ["sagemaker", "*.sagemaker"])
def test_list_of_everything_in_the_old_words(fleet: Fleet, laptop: Laptop, form: str) -> None:
    node_id = fleet.add("t")
    assert node_id in laptop.run("list", form).stdout


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
    done = laptop.run("wait", "t.training.sagemaker", "--timeout", "120")
    assert (done.returncode, done.stdout) == (0, node_id + "\n")
    assert done.stderr.strip().endswith(f"t.training.sagemaker: Online as {node_id}")


def test_wait_has_a_deadline(fleet: Fleet, laptop: Laptop) -> None:
    node_id = fleet.add("t", online=False)
    done = laptop.run("wait", node_id, "--timeout", "0.2")
    assert (done.returncode, done.stdout) == (26, "")
    assert "hint" in done.stderr
