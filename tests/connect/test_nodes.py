"""Discovery on the plane: which node a name means, and how many calls that takes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sm_ssh_entry.connect import names, nodes
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import Ambiguous, ConnectionLost
from sm_ssh_entry.plane.server import Plane
from sm_ssh_entry.plane.store import Activation
from tests.connect.world import Fleet, counted


def find(ssm: Any, name: str) -> Node | None:
    return nodes.find(ssm, names.parse(name))


def found(ssm: Any, name: str) -> Node:
    node = find(ssm, name)
    assert node is not None
    return node


def test_one_among_twenty_thousand_takes_two_calls(fleet: Fleet, ssm: Any) -> None:
    def crowd(plane: Plane) -> None:
        for number in range(20_000):
            tags = {"SSHResourceName": f"job-{number}", "SSHResourceKind": "training"}
            activation = Activation("a", "c", "us-east-1", "Role", 0.0, 1e12, tags=tags)
            plane.store.nodes.register(activation, public_key="k", fingerprint="f", now=1.0).ping(plane.store.clock())

    fleet.plane.call(crowd)
    wanted = fleet.add("wanted", tags={"SSHPort": "2222"})
    calls = counted(ssm)
    node = found(ssm, "wanted.training.sagemaker")
    assert (node.node_id, node.label, node.tag("SSHPort")) == (wanted, "algo-1", "2222")
    assert calls.total() <= 2


def test_a_node_of_a_job_takes_two_calls_where_names_say_it_all(fleet: Fleet, ssm: Any) -> None:
    ids = [fleet.add("j", f"algo-{n}", display=f"algo-{n}.j.training.sagemaker") for n in range(1, 9)]
    calls = counted(ssm)
    assert found(ssm, "algo-7.j.training.sagemaker").node_id == ids[6]
    assert calls.total() == 2


def test_nobody(fleet: Fleet, ssm: Any) -> None:
    fleet.add("other")
    assert find(ssm, "j.training.sagemaker") is None
    assert find(ssm, "mi-0123456789abcdef0") is None


@pytest.mark.parametrize("crowd", [False, True])
def test_another_kind_or_node_of_that_name_is_not_meant(fleet: Fleet, ssm: Any, crowd: bool) -> None:
    fleet.add("j", "algo-1", kind="processing")
    if crowd:
        fleet.add("j", "algo-2", kind="processing")
    assert find(ssm, "j.training.sagemaker") is None
    assert find(ssm, "algo-3.j.processing.sagemaker") is None
    assert found(ssm, "j.processing.sagemaker").label == "algo-1"


def test_a_job_means_its_first_node_and_a_label_means_that_one(fleet: Fleet, ssm: Any) -> None:
    ids = {label: fleet.add("j", label) for label in ("algo-10", "algo-2", "algo-1", "algo-3")}
    assert found(ssm, "j.training.sagemaker").node_id == ids["algo-1"]
    for label, node_id in ids.items():
        assert found(ssm, f"{label}.j.training.sagemaker").node_id == node_id


def test_without_its_first_node_a_job_means_the_next(fleet: Fleet, ssm: Any) -> None:
    fleet.add("j", "algo-1", online=False)
    second = fleet.add("j", "algo-2")
    assert found(ssm, "j.training.sagemaker").node_id == second


def test_an_id_is_found_whatever_its_tags(fleet: Fleet, ssm: Any) -> None:
    fleet.add("j")
    second = fleet.add("j")
    assert found(ssm, second).node_id == second


def test_lost_says_which_and_since_when(fleet: Fleet, ssm: Any) -> None:
    fleet.add("j", online=False)
    with pytest.raises(ConnectionLost, match=r"mi-[0-9a-f]{17} is ConnectionLost, last heard 2 h ago") as lost:
        find(ssm, "j.training.sagemaker")
    assert lost.value.hint


def test_a_node_that_ended_soon_after_it_registered_is_lost(fleet: Fleet, ssm: Any) -> None:
    fleet.add("j", online=False, registered=-40.0)
    with pytest.raises(ConnectionLost, match="is ConnectionLost, last heard"):
        find(ssm, "j.training.sagemaker")


def test_a_node_whose_agent_never_reported_is_not_called_lost(fleet: Fleet, ssm: Any) -> None:
    fleet.add("j", online=False)
    starting = fleet.add("j", online=False, registered=-5.0, reported=False)
    with pytest.raises(ConnectionLost, match=f"{starting} registered [56] s ago, its agent is not connected yet"):
        find(ssm, "j.training.sagemaker")


def test_the_living_one_is_meant_not_the_dead_one(fleet: Fleet, ssm: Any) -> None:
    fleet.add("j", online=False)
    alive = fleet.add("j")
    fleet.add("j", online=False)
    assert found(ssm, "j.training.sagemaker").node_id == alive


def test_two_online_under_one_name_are_ambiguous(fleet: Fleet, ssm: Any) -> None:
    new, old = fleet.add("j"), fleet.add("j", registered=-7200)
    with pytest.raises(Ambiguous) as both:
        find(ssm, "j.training.sagemaker")
    assert f"{new}, {old}" in both.value.message
    assert new in both.value.hint


def test_a_tie_is_broken_by_who_really_holds_its_channel() -> None:
    now = datetime.now(timezone.utc)
    before = Node("mi-old", ping="Online", registered=now - timedelta(hours=1), label="algo-1")
    after = Node("mi-new", ping="Online", registered=now, label="algo-1")
    target = names.parse("j.training.sagemaker")
    assert nodes.pick([before, after], target, connected=lambda node: node is after) == after
    for connected in (True, False):
        with pytest.raises(Ambiguous):
            nodes.pick([before, after], target, connected=lambda _, answer=connected: answer)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (200_000, "2 d ago"), (-5, "0 s ago")],
)
def test_ago(seconds: int, text: str) -> None:
    now = datetime.now(timezone.utc)
    assert nodes.ago(now - timedelta(seconds=seconds), now=now) == text
    assert nodes.ago(None) == "never"
