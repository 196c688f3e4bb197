"""Removing dead nodes: which are chosen, what is looked at again, and what survives whatever is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.connect import nodes
from sm_ssh_entry.connect.fleet import deregistration
from sm_ssh_entry.connect.fleet.deregistration import Choice, Outcome
from sm_ssh_entry.connect.fleet.pace import Pace
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import AccessDenied, BadInput, CredentialsExpired, NotFound, ServiceError
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.fleet.crowd import OURS, Crowd
from tests.connect.world import counted

WEEK = Choice(timedelta(days=7))
# Our own tags, some of them missing or not ours: each of these nodes must stay.
OTHERS: list[dict[str, str]] = [
    {},
    {"Name": "web server"},
    {contract.TAG_OWNER: "AROA:me"},
    {contract.TAG_TIMESTAMP: "1"},
    {contract.TAG_RESOURCE_KIND: "training"},
    {contract.TAG_CREATOR: "AROA:me"},
    {contract.TAG_TIMESTAMP.lower(): "1", contract.TAG_RESOURCE_KIND.lower(): "training"},
]


def run(ssm: Any, choice: Choice = WEEK) -> Outcome:
    return deregistration.remove(ssm, deregistration.candidates(ssm, choice), choice, Outcome())


def test_only_ours_only_dead_only_old(crowd: Crowd, ssm: Any) -> None:
    old = crowd.add("old", 60, OURS, days=8)
    older_version = crowd.add("old", 2, {contract.TAG_TIMESTAMP: "1", contract.TAG_CREATOR: "AROA:x"}, days=9)
    staying = crowd.add("young", 3, OURS, days=6) + crowd.add("online", 3, OURS, days=30, online=True)
    for tags in OTHERS:
        staying += crowd.add("others", 2, tags, days=400)
    found = deregistration.candidates(ssm, WEEK)
    assert {node.node_id for node in found} >= {*old, *older_version}
    ours = [node.node_id for node in found if node.node_id in {*old, *older_version}]
    assert set(ours[:2]) == set(older_version), "longest dead first"
    outcome = deregistration.remove(ssm, found, WEEK, Outcome())
    assert (outcome.removed, outcome.not_ours, outcome.failed) == (62, 2, {})
    assert crowd.left() == set(staying)


@pytest.mark.parametrize("tags", OTHERS)
def test_a_node_that_is_not_ours_stays_even_if_it_is_named(crowd: Crowd, ssm: Any, tags: dict[str, str]) -> None:
    (node_id,) = crowd.add("others", 1, tags, days=400)
    with pytest.raises(BadInput, match="it stays"):
        deregistration.candidates(ssm, Choice(node_id=node_id))
    # Nor if somebody hands it over all the same.
    listed = list(nodes.describe(ssm, [{"Key": "InstanceIds", "Values": [node_id]}]))
    assert deregistration.remove(ssm, listed, Choice(), Outcome()).not_ours == 1
    assert crowd.left() == {node_id}


def test_a_named_node_has_to_be_dead_and_there(crowd: Crowd, ssm: Any) -> None:
    (alive,) = crowd.add("online", 1, OURS, days=1, online=True)
    (dead,) = crowd.add("dead", 1, OURS, days=1)
    with pytest.raises(BadInput, match=r"is Online, last heard .*: it stays"):
        deregistration.candidates(ssm, Choice(node_id=alive))
    with pytest.raises(NotFound):
        deregistration.candidates(ssm, Choice(node_id="mi-0123456789abcdef0"))
    assert run(ssm, Choice(node_id=dead)).removed == 1
    assert crowd.left() == {alive}


def test_by_kind_owner_and_name(crowd: Crowd, ssm: Any) -> None:
    processing = {**OURS, contract.TAG_RESOURCE_KIND: "processing"}
    mine = {**OURS, contract.TAG_OWNER: "AROA:me"}
    named = {**OURS, contract.TAG_RESOURCE_NAME: "other", contract.TAG_NODE: "algo-2"}
    ids = {
        name: set(crowd.add(name, 2, tags, days=1))
        for name, tags in (("plain", OURS), ("processing", processing), ("mine", mine), ("named", named))
    }
    choices = {
        "processing": Choice(kinds=("processing",)),
        "mine": Choice(owner="AROA:me"),
        "named": deregistration.choice_of("algo-2.other.training.sagemaker", timedelta(0)),
    }
    for name, choice in choices.items():
        assert run(ssm, choice).removed == 2
        assert not ids[name] & crowd.left()
    assert crowd.left() == ids["plain"]


def test_nodes_of_an_endpoint_have_no_name_to_go_by() -> None:
    with pytest.raises(BadInput) as refused:
        deregistration.choice_of("e.inference.sagemaker", timedelta(0))
    assert "--node" in refused.value.hint


def test_a_node_that_came_back_and_one_that_went_meanwhile(crowd: Crowd, ssm: Any) -> None:
    ids = crowd.add("dead", 4, OURS, days=8)
    found = deregistration.candidates(ssm, WEEK)

    def change(running: Any) -> None:
        running.store.nodes.require(ids[0]).ping(running.store.clock())
        running.store.nodes.require(ids[1]).ping(running.store.clock() - 7200)
        running.store.nodes.remove(running.store.nodes.require(ids[2]))

    crowd.plane.call(change)
    outcome = deregistration.remove(ssm, found, WEEK, Outcome())
    assert (outcome.removed, outcome.alive, outcome.gone) == (1, 2, 1)
    assert crowd.left() == {ids[0], ids[1]}


def test_a_node_that_lost_its_tags_meanwhile_stays(crowd: Crowd, ssm: Any) -> None:
    (node_id,) = crowd.add("dead", 1, OURS, days=8)
    found = deregistration.candidates(ssm, WEEK)
    crowd.plane.call(lambda running: running.store.nodes.retag(running.store.nodes.require(node_id), {}))
    assert deregistration.remove(ssm, found, WEEK, Outcome()).not_ours == 1
    assert crowd.left() == {node_id}


def test_an_answer_that_one_gone_node_spoils_is_asked_for_one_by_one() -> None:
    class Ssm:
        """A service that refuses a list of ids where one of them is unknown."""

        def describe_instance_information(self, *, Filters: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
            (ids,) = (one["Values"] for one in Filters)
            if "mi-gone" in ids:
                raise ServiceError("no such node", code="InvalidInstanceId")
            return {"InstanceInformationList": [{"InstanceId": ids[0], "PingStatus": "Online"}]}

    there = [Node(node_id) for node_id in ("mi-gone", "mi-back")]
    outcome = deregistration.remove(Ssm(), there, WEEK, Outcome())
    assert (outcome.gone, outcome.alive, outcome.removed) == (1, 1, 0)


def test_throttling_slows_it_down_and_loses_nothing(plane: PlaneThread, crowd: Crowd, ssm: Any) -> None:
    crowd.add("dead", 30, OURS, days=8)
    plane.plane.faults.add("DeregisterManagedInstance", "ThrottlingException", times=5)
    plane.plane.faults.add("ListTagsForResource", "ThrottlingException", times=3)
    pace = Pace(pause=lambda _: None)
    outcome = deregistration.remove(ssm, deregistration.candidates(ssm, WEEK), WEEK, Outcome(), pace=pace)
    assert (outcome.removed, outcome.failed, pace.throttled) == (30, {}, 8)


def test_what_fails_is_told_and_the_rest_goes(plane: PlaneThread, crowd: Crowd, ssm: Any) -> None:
    crowd.add("dead", 10, OURS, days=8)
    plane.plane.faults.add("DeregisterManagedInstance", "InternalServerError", status=500, times=1)
    outcome = run(ssm)
    assert (outcome.removed, len(outcome.failed)) == (9, 1)
    assert "InternalServerError" in next(iter(outcome.failed.values()))


def test_who_may_remove_only_some_is_told_which_stay(plane: PlaneThread, crowd: Crowd, ssm: Any) -> None:
    crowd.add("dead", 60, OURS, days=8)
    plane.plane.faults.add("DeregisterManagedInstance", "AccessDeniedException", times=10)
    outcome = run(ssm)
    assert (outcome.removed, len(outcome.failed), outcome.refused) == (50, 10, None)


def test_credentials_that_run_out_end_it(plane: PlaneThread, crowd: Crowd, ssm: Any) -> None:
    crowd.add("dead", 200, OURS, days=8)
    found = deregistration.candidates(ssm, WEEK)
    plane.plane.faults.add("DeregisterManagedInstance", "ExpiredTokenException")
    outcome, calls = Outcome(), counted(ssm)
    with pytest.raises(CredentialsExpired):
        deregistration.remove(ssm, found, WEEK, outcome)
    assert calls["DeregisterManagedInstance"] <= 50
    assert crowd.remaining() == 200


def test_who_may_not_remove_nodes_is_not_refused_twenty_thousand_times(
    plane: PlaneThread, crowd: Crowd, ssm: Any
) -> None:
    crowd.add("dead", 200, OURS, days=8)
    plane.plane.faults.add("DeregisterManagedInstance", "AccessDeniedException")
    calls = counted(ssm)
    outcome = run(ssm)
    assert isinstance(outcome.refused, AccessDenied)
    assert calls["DeregisterManagedInstance"] <= 16 + 8
    assert crowd.remaining() == 200
