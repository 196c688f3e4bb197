"""Nodes without a registration: through which one they are reached, and where that is no way. See test_jump."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect import places
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.errors import BadInput, ConnectionLost
from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.test_places import HOST, HYBRID, find, refused, train
from tests.connect.world import Fleet


def test_a_node_behind_another_goes_through_the_first(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    train(plane, debug=False, nodes=9)
    ids = {label: fleet.add("j", label, online=label != "algo-1") for label in ("algo-3", "algo-1", "algo-2")}
    place = find(access, "algo-7." + HOST)
    assert (place.hop, place.node.node_id) == ("algo-7", ids["algo-2"])
    with pytest.raises(BadInput, match="algo-7 has no registration of its own") as no_session:
        places.start(access, place, "", {}, reason="shell")
    assert no_session.value.hint
    with pytest.raises(ConnectionLost):
        find(access, "algo-1." + HOST)


def test_what_is_on_goes_before_a_way_over_two_nodes(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    train(plane, nodes=9)
    fleet.add("j")
    assert find(access, "algo-7." + HOST).native
    assert find(access, "algo-7." + HOST, HYBRID).hop == "algo-7"


def test_a_job_that_has_ended_is_no_way(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    train(plane, debug=False, nodes=9)
    fleet.add("j")
    over = {"name": "j", "region": "us-east-1", "job_status": "Failed", "failure": "out of memory"}
    plane.call(lambda there: job_records.note(there.store, over))
    assert refused(access, "algo-7." + HOST, Reach()).message.endswith("has ended (Failed): out of memory")


def test_without_leave_to_ask_the_way_is_tried_all_the_same(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    fleet.add("j")
    plane.plane.faults.add("DescribeTrainingJob", "AccessDeniedException")
    assert find(access, "algo-70." + HOST).hop == "algo-70"
