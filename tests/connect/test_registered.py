"""Which managed nodes a name means: endpoints by their session ids, Studio apps by parts of their names."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.registered import Found, Search
from sm_ssh_entry.errors import AccessDenied, Ambiguous, ConnectionLost, NotFound, NotRegistered
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect import resources
from tests.connect.world import Fleet, counted


@pytest.fixture
def sagemaker(access: Access) -> Any:
    return access.client("sagemaker")


def find(access: Access, name: str, index: int = 0) -> Found:
    found = Search(access, names.parse(name), index).find()
    assert found is not None
    return found


def served(sagemaker: Any, name: str = "e", session_id: str = "id") -> None:
    resources.endpoint(sagemaker, name, [resources.variant("v", resources.model(sagemaker, f"m-{name}", session_id))])


def container(fleet: Fleet, session_id: str = "id", **options: Any) -> str:
    """Add a node as an endpoint's container registers it: without a name."""
    return fleet.add("", "", kind="inference", tags={"SSHSessionId": session_id}, **options)


def test_an_endpoints_only_container_takes_three_calls_and_two(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    served(sagemaker)
    for number in range(60):
        container(fleet, f"other-{number}")
    wanted = container(fleet)
    ssm = access.client("ssm")
    calls, asked = counted(ssm), counted(sagemaker)
    found = find(access, "e.inference.sagemaker")
    assert (found.node.node_id, found.node.host, found.remarks) == (wanted, "e.inference.sagemaker", ())
    assert (calls.total(), asked.total()) == (2, 3)


def test_to_look_again_asks_sagemaker_no_more(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    served(sagemaker)
    search = Search(access, names.parse("e.inference.sagemaker"))
    assert search.find() is None
    asked = counted(sagemaker)
    wanted = container(fleet)
    found = search.find()
    assert found is not None
    assert (found.node.node_id, asked.total()) == (wanted, 0)


def test_of_several_containers_the_newest_is_taken_and_said(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    served(sagemaker)
    old, new, gone = (container(fleet, registered=age) for age in (-900.0, -60.0, -90.0))
    container(fleet, online=False)
    found = find(access, "e.inference.sagemaker")
    assert found.node.node_id == new
    assert "3 containers are Online as e.inference.sagemaker" in found.remarks[0]
    assert "3 containers for 1 instances of endpoint e" in found.remarks[1]
    for number, node_id in enumerate((new, gone, old), start=1):
        assert find(access, "e.inference.sagemaker", number).node.node_id == node_id
        assert find(access, f"{number}.e.inference.sagemaker").node.node_id == node_id
    with pytest.raises(NotFound, match="3 nodes are Online as e"):
        find(access, "e.inference.sagemaker", 4)


def test_a_transform_job_of_the_same_model_is_not_meant(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    served(sagemaker)
    wanted = container(fleet, registered=-900.0)
    fleet.add("batch", "", kind="transform", tags={"SSHSessionId": "id"}, registered=-1.0)
    assert find(access, "e.inference.sagemaker").node.node_id == wanted
    assert [node.node_id for node in Search(access, names.parse("e.inference.sagemaker")).matching()] == [wanted]


def test_a_variant_means_its_own_containers(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    both = [resources.variant(name, resources.model(sagemaker, name, name)) for name in ("blue", "green")]
    resources.endpoint(sagemaker, "e", both)
    ids = {name: container(fleet, name) for name in ("blue", "green")}
    for name, node_id in ids.items():
        assert find(access, f"{name}.e.inference.sagemaker").node.node_id == node_id


def test_variants_of_one_model_cannot_be_told_apart(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    model = resources.model(sagemaker, "m", "id")
    resources.endpoint(sagemaker, "e", [resources.variant("blue", model), resources.variant("green", model)])
    container(fleet)
    assert "variants green have the same model" in find(access, "blue.e.inference.sagemaker").remarks[0]


def test_nothing_lost_and_no_session_id(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    assert Search(access, names.parse("nobody.inference.sagemaker")).find() is None
    served(sagemaker)
    container(fleet, online=False)
    with pytest.raises(ConnectionLost):
        find(access, "e.inference.sagemaker")
    resources.endpoint(sagemaker, "f", [resources.variant("v", resources.model(sagemaker, "plain"))])
    with pytest.raises(NotRegistered, match="SSH_SESSION_ID"):
        find(access, "f.inference.sagemaker")


def test_who_may_not_ask_sagemaker_is_told_the_other_way(plane: PlaneThread, access: Access) -> None:
    plane.plane.faults.add("DescribeEndpoint", "AccessDeniedException")
    with pytest.raises(AccessDenied) as denied:
        find(access, "e.inference.sagemaker")
    assert "node's id" in denied.value.hint


APP = "default.space.d-abc"


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("asked", ["default", "space", "default.space", "space.d-abc", APP])
def test_a_studio_app_by_parts_of_its_name(fleet: Fleet, access: Access, asked: str, named: bool) -> None:
    wanted = fleet.add(APP, "", kind="studio", display=APP if named else "")
    fleet.add("other.thing.d-xyz", "", kind="studio", display="other.thing.d-xyz" if named else "")
    calls = counted(access.client("ssm"))
    found = find(access, f"{asked}.studio.sagemaker")
    assert (found.node.node_id, found.node.host) == (wanted, f"{APP}.studio.sagemaker")
    assert calls.total() <= (2 if named else 3)


def test_apps_of_one_name_are_listed_by_their_whole_names(fleet: Fleet, access: Access) -> None:
    fleet.add(APP, "", kind="studio", display=APP)
    fleet.add("default.desk.d-abc", "", kind="studio", display="default.desk.d-abc")
    with pytest.raises(Ambiguous) as both:
        find(access, "default.studio.sagemaker")
    assert "default.desk.d-abc.studio.sagemaker, default.space.d-abc.studio.sagemaker" in both.value.message


@pytest.mark.parametrize("kind", ["training", "notebook", "processing"])
def test_an_index_tells_nodes_of_one_name_apart(fleet: Fleet, access: Access, kind: str) -> None:
    label = "" if kind == "notebook" else "algo-1"
    old, new = fleet.add("j", label, kind=kind, registered=-900.0), fleet.add("j", label, kind=kind, registered=-9.0)
    assert find(access, f"j.{kind}.sagemaker", 1).node.node_id == new
    assert find(access, f"j.{kind}.sagemaker", 2).node.node_id == old
    with pytest.raises(Ambiguous, match="2 nodes are Online"):
        find(access, f"j.{kind}.sagemaker")
