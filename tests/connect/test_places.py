"""Where a name leads: which way is taken, and what each costs and says."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.connect import names, opening, places
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.places import Place
from sm_ssh_entry.errors import (
    AccessDenied,
    BadInput,
    ConnectionLost,
    NotFound,
    NotRegistered,
    SmSshError,
)
from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect import resources
from tests.connect.world import Fleet, Laptop, counted

HOST = "j.training.sagemaker"
NATIVE = Reach(via="native")
HYBRID = Reach(via="hybrid")


def find(access: Access, name: str = HOST, reach: Reach = Reach()) -> Place:  # noqa: B008 - frozen
    return places.find(access, names.parse(name), reach)


def refused(access: Access, name: str = HOST, reach: Reach = NATIVE) -> SmSshError:
    with pytest.raises(SmSshError) as error:
        find(access, name, reach)
    assert error.value.hint
    assert "\n" not in error.value.message
    return error.value


def train(plane: PlaneThread, *, debug: bool = True, nodes: int = 1, name: str = "j", **request: Any) -> None:
    """Let a training job run."""
    fields = {"name": name, "region": "us-east-1", "nodes": nodes, "native": debug, "request": request}
    plane.call(lambda there: job_records.note(there.store, fields))


def test_a_node_that_is_online_goes_first_and_takes_two_calls(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    train(plane)
    wanted = fleet.add("j")
    calls, asked = counted(access.client("ssm")), counted(access.client("sagemaker"))
    assert find(access).node.node_id == wanted
    assert (calls.total(), asked.total()) == (2, 0)
    assert find(access, reach=HYBRID).node.node_id == wanted


@pytest.mark.parametrize("there", ["nothing", "a lost node"])
def test_without_one_it_is_sagemakers_own_way_where_that_is_on(
    plane: PlaneThread, fleet: Fleet, access: Access, there: str
) -> None:
    train(plane)
    if there != "nothing":
        fleet.add("j", online=False)
    place = find(access)
    assert (place.native, place.node.node_id) == (True, "sagemaker-training-job:j_algo-1")
    assert place.node.host == "algo-1.j.training.sagemaker"
    with pytest.raises(ConnectionLost if there != "nothing" else NotRegistered):
        find(access, reach=HYBRID)


def test_a_lost_node_stays_lost_where_that_is_off(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    train(plane, debug=False)
    fleet.add("j", online=False)
    with pytest.raises(ConnectionLost):
        find(access)


def test_native_on_demand_though_a_node_is_online(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    train(plane, nodes=2)
    fleet.add("j")
    assert find(access, "algo-2." + HOST, NATIVE).node.node_id == "sagemaker-training-job:j_algo-2"


def test_a_jobs_environment_tells_port_and_keys(plane: PlaneThread, access: Access, laptop: Laptop) -> None:
    laptop.make_key()
    key = (laptop.home / ".ssh" / "id_ed25519.pub").read_text().strip()
    train(plane, Environment={"SSH_PORT": "2222", "SSH_AUTHORIZED_KEYS": f"nonsense,{key}"})
    node = find(access).node
    assert node.tag("SSHPort") == "2222"
    assert node.tag("SSHKeyFingerprints").startswith("SHA256:")
    assert node.registered is not None


def test_why_there_is_no_native_way_into_a_job(plane: PlaneThread, access: Access) -> None:
    error = refused(access, "nobody.training.sagemaker")
    assert isinstance(error, NotFound)
    train(plane, debug=False, name="off")
    error = refused(access, "off.training.sagemaker")
    assert isinstance(error, NotRegistered)
    assert error.message == "remote debug is off for training job off"
    assert "EnableRemoteDebug=true" in error.hint
    train(plane, nodes=2)
    assert "has 2 nodes, algo-1 to algo-2; there is no algo-3" in refused(access, "algo-3." + HOST).message
    over = {"name": "j", "region": "us-east-1", "job_status": "Stopped"}
    plane.call(lambda there: job_records.note(there.store, over))
    assert refused(access).message == "training job j has ended (Stopped)"


def test_who_may_not_ask_sagemaker_may_still_have_both_ways(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    train(plane)
    plane.plane.faults.add("DescribeTrainingJob", "AccessDeniedException")
    assert find(access, reach=NATIVE).node.node_id == "sagemaker-training-job:j_algo-1"
    plane.plane.faults.add("DescribeTrainingJob", "AccessDeniedException")
    wanted = fleet.add("j")
    assert find(access).node.node_id == wanted


def test_who_may_not_list_nodes_may_still_go_natively(plane: PlaneThread, access: Access) -> None:
    train(plane)
    plane.plane.faults.add("DescribeInstanceInformation", "AccessDeniedException")
    assert find(access).native


@pytest.mark.parametrize("name", ["j.processing.sagemaker", "j.notebook.sagemaker", "j.transform.sagemaker"])
def test_kinds_without_a_native_way(access: Access, name: str) -> None:
    assert isinstance(refused(access, name), BadInput)


def test_an_id_is_hybrid(access: Access) -> None:
    assert isinstance(refused(access, "mi-0123456789abcdef0"), BadInput)


# Endpoints.


def stream(access: Access, name: str, endpoint: str = "e") -> None:
    logs = access.client("logs")
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=name)


def test_an_endpoints_instances_are_known_by_their_log_streams(access: Access) -> None:
    sagemaker = access.client("sagemaker")
    model = resources.model(sagemaker, "m", SSH_PORT="2222")
    resources.endpoint(
        sagemaker, "e", [resources.variant("blue", model, EnableSSMAccess=True), resources.variant("green", model)]
    )
    error = refused(access, "e.inference.sagemaker")
    assert isinstance(error, NotRegistered)
    assert "AWS support" in error.hint
    for name in ("blue/i-1/ssm", "blue/i-1", "green/i-9/ssm", "blue2/i-8/ssm"):
        stream(access, name)
    wanted = "sagemaker-endpoint:e_blue_i-1"
    for name in ("e", "blue.e", "1.e"):
        assert find(access, f"{name}.inference.sagemaker", NATIVE).node.node_id == wanted
    assert find(access, "e.inference.sagemaker").node.node_id == wanted
    assert find(access, "e.inference.sagemaker").node.tag("SSHPort") == "2222"
    with pytest.raises(NotRegistered, match="SSH_SESSION_ID"):
        find(access, "e.inference.sagemaker", HYBRID)
    stream(access, "blue/i-2/ssm")
    found = {find(access, f"{n}.e.inference.sagemaker", NATIVE).node.node_id for n in (1, 2)}
    assert found == {wanted, "sagemaker-endpoint:e_blue_i-2"}
    assert isinstance(refused(access, "3.e.inference.sagemaker"), NotFound)
    assert refused(access, "green.e.inference.sagemaker").message.startswith("SSM access is off for green.e")
    assert "no variant red" in refused(access, "red.e.inference.sagemaker").message
    assert isinstance(refused(access, "f.inference.sagemaker"), NotFound)


# Sessions by SageMaker's own ways.


def start(access: Access, place: Place, document: str = opening.DOCUMENT) -> opening.Ticket:
    return places.start(access, place, document, {"portNumber": "22"} if document else {}, reason="test")


def test_a_native_agent_that_is_not_there(plane: PlaneThread, access: Access) -> None:
    train(plane)
    with pytest.raises(ConnectionLost, match="SageMaker's own agent is not connected") as lost:
        start(access, find(access))
    assert "ssmmessages" in lost.value.hint


def test_a_native_session_that_is_denied_is_told_once(plane: PlaneThread, access: Access) -> None:
    train(plane)
    plane.plane.faults.add("StartSession", "AccessDeniedException", times=2)
    with pytest.raises(AccessDenied) as denied:
        start(access, find(access))
    assert "ssm:StartSession" in denied.value.hint
