"""The list on the plane: what is in it, in which order, and what it costs."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.fleet import listing, whose
from sm_ssh_entry.connect.fleet.listing import Entry, Listing, Question
from sm_ssh_entry.plane.server import Plane, PlaneThread
from tests.connect.fleet.crowd import OURS, REGION, Crowd
from tests.connect.world import Fleet, Laptop, counted

ROLE = "arn:aws:iam::123456789012:role/Role"


def listed(**options: Any) -> list[Entry]:
    return list(Listing(Access(), Question(**options)))


def hosts(**options: Any) -> list[str]:
    return [entry.name for entry in listed(**options)]


def test_online_ones_first_and_the_newest_of_them(fleet: Fleet, crowd: Crowd, ssm: Any) -> None:
    lost = fleet.add("lost", online=False)
    for number in range(119):
        fleet.add(f"j{number}", registered=number - 1000.0)
    crowd.add("strangers", 70, {"Name": "web"}, days=0, online=True)
    other = fleet.add("p", kind="processing", registered=1.0, tags={contract.TAG_OWNER: "AROA:me"})
    every = listed()
    assert len(every) == 121
    assert (every[0].node_id, every[0].name, every[0].owner) == (other, "algo-1.p.processing.sagemaker", "AROA:me")
    assert every[1].name == "algo-1.j118.training.sagemaker"
    assert every[-1].node_id == lost
    assert {entry.kind for entry in listed(kinds=("training",))} == {"training"}
    assert listed(kinds=("studio",)) == []


def test_filters(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("here")
    fleet.add("gone", online=False)
    fleet.add("mine", online=False, tags={contract.TAG_OWNER: "AROA:me"})
    assert hosts(status="online") == ["algo-1.here.training.sagemaker"]
    assert set(hosts(status="lost")) == {"algo-1.gone.training.sagemaker", "algo-1.mine.training.sagemaker"}
    assert hosts(owner="AROA:me") == ["algo-1.mine.training.sagemaker"]
    assert hosts(owner="AROA:me", status="online") == []
    assert len(hosts(older_than=timedelta(hours=1))) == 2
    assert hosts(older_than=timedelta(hours=3)) == []
    assert hosts(limit=1) == ["algo-1.here.training.sagemaker"]
    assert hosts(status="unregistered") == []


@pytest.mark.parametrize(
    ("limit", "pages"),
    [
        # 120 are Online: three pages of those, and three of ours beside them.
        (10, 6),
        (120, 6),
        # Of twenty thousand that are lost only those are asked for that are read.
        (220, 8),
    ],
)
def test_a_limit_bounds_the_calls(crowd: Crowd, laptop: Laptop, limit: int, pages: int) -> None:
    crowd.add("lost", 3_000, OURS, days=3)
    crowd.add("online", 120, OURS, days=0, online=True)
    access = Access()
    view = Listing(access, Question(limit=limit))
    calls = counted(view._ssm)
    entries = list(view)
    assert len(entries) == limit
    assert all(entry.online for entry in entries[:120])
    assert calls["DescribeInstanceInformation"] <= pages
    assert calls["ListTagsForResource"] <= limit + 50


def test_few_of_ours_among_many_that_are_online(crowd: Crowd, laptop: Laptop) -> None:
    crowd.add("strangers", 2_000, {"Name": "web"}, days=0, online=True)
    crowd.add("ours", 20, OURS, days=0, online=True)
    view = Listing(Access(), Question(status="online"))
    calls = counted(view._ssm)
    assert len(list(view)) == 20
    assert calls == {"DescribeInstanceInformation": 1, "ListTagsForResource": 20}


def test_nothing_is_asked_that_nobody_reads(crowd: Crowd, laptop: Laptop) -> None:
    crowd.add("lost", 3_000, OURS, days=3)
    view = Listing(Access(), Question(status="lost"))
    calls = counted(view._ssm)
    assert len(list(islice(view, 60))) == 60
    assert calls["DescribeInstanceInformation"] <= 3
    assert calls["ListTagsForResource"] <= 100


def test_what_runs_and_has_not_registered(fleet: Fleet, laptop: Laptop) -> None:
    sagemaker = aws.client("sagemaker")
    for name in ("with-node", "without"):
        sagemaker.create_notebook_instance(NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=ROLE)
    fleet.add("with-node", "", kind="notebook")
    fleet.add("without", "", kind="processing")
    found = listed(kinds=("notebook",))
    assert [(entry.name, entry.status) for entry in found] == [
        ("with-node.notebook.sagemaker", "Online"),
        ("without.notebook.sagemaker", "not registered"),
    ]
    assert found[1].registered
    assert hosts(kinds=("notebook",), status="unregistered") == ["without.notebook.sagemaker"]
    assert hosts(kinds=("training",)) == []


def test_a_node_of_an_earlier_start_does_not_count(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("n", "", kind="notebook", online=False)
    aws.client("sagemaker").create_notebook_instance(
        NotebookInstanceName="n", InstanceType="ml.t3.medium", RoleArn=ROLE
    )
    assert [entry.status for entry in listed(kinds=("notebook",))] == ["ConnectionLost", "not registered"]


def endpoint(name: str, session_id: str) -> None:
    """Deploy a model with a session id, or without."""
    sagemaker = aws.client("sagemaker")
    environment = {contract.SSH_SESSION_ID: session_id} if session_id else {}
    sagemaker.create_model(
        ModelName=name, PrimaryContainer={"Image": "image", "Environment": environment}, ExecutionRoleArn=ROLE
    )
    variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def test_nodes_of_endpoints_get_their_endpoints_name(fleet: Fleet, laptop: Laptop) -> None:
    for name, session_id in (("e1", "id-1"), ("e2", "id-2"), ("bare", "")):
        endpoint(name, session_id)
    known = fleet.add("", "", kind="inference", tags={contract.TAG_SESSION_ID: "id-2"})
    unknown = fleet.add("", "", kind="inference", tags={contract.TAG_SESSION_ID: "id-9"})
    found = {entry.name: (entry.node_id, entry.status) for entry in listed(kinds=("inference",))}
    assert found == {
        "e2.inference.sagemaker": (known, "Online"),
        unknown: (unknown, "Online"),
        "e1.inference.sagemaker": ("", "not registered"),
        "bare.inference.sagemaker": ("", "not registered"),
    }


def test_endpoints_are_not_looked_into_where_no_node_is_one_of_theirs(laptop: Laptop) -> None:
    endpoint("e", "id")
    access = Access()
    calls = counted(access.client("sagemaker", timeout=10.0))
    assert [entry.name for entry in Listing(access, Question())] == ["e.inference.sagemaker"]
    assert calls["DescribeEndpoint"] == 0
    assert set(calls.values()) == {1}


def test_apps_and_whether_their_space_lets_remote_sessions_in(fleet: Fleet, laptop: Laptop) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_domain(DomainName="d", AuthMode="IAM", DefaultUserSettings={}, SubnetIds=["s"], VpcId="v")
    domain = sagemaker.list_domains()["Domains"][0]["DomainId"]
    for space, remote in (("open", "ENABLED"), ("shut", "DISABLED")):
        settings = {"AppType": "JupyterLab", "RemoteAccess": remote}
        sagemaker.create_space(DomainId=domain, SpaceName=space, SpaceSettings=settings)
        sagemaker.create_app(DomainId=domain, SpaceName=space, AppType="JupyterLab", AppName="default")
    found = {entry.name: (entry.status, entry.native) for entry in listed(kinds=("studio",))}
    assert found == {
        f"default.open.{domain}.studio.sagemaker": ("not registered", True),
        f"default.shut.{domain}.studio.sagemaker": ("not registered", False),
    }
    fleet.add(f"default.shut.{domain}", "", kind="studio")
    assert hosts(kinds=("studio",), status="unregistered") == [f"default.open.{domain}.studio.sagemaker"]


def test_a_list_that_is_denied_is_a_note(fleet: Fleet, plane: PlaneThread, laptop: Laptop) -> None:
    fleet.add("here")
    plane.plane.faults.add("ListTrainingJobs", "AccessDeniedException")
    view = Listing(Access(), Question(kinds=("training",)))
    assert [entry.name for entry in view] == ["algo-1.here.training.sagemaker"]
    (note,) = view.notes
    assert note.startswith("sagemaker:ListTrainingJobs: access denied")


def test_nodes_that_are_removed_while_they_are_listed(crowd: Crowd, laptop: Laptop) -> None:
    ids = crowd.add("lost", 60, OURS, days=3)
    entries = iter(Listing(Access(), Question(status="lost")))
    next(entries)
    for node_id in ids:
        crowd.plane.call(lambda running, gone=node_id: running.store.nodes.remove(running.store.nodes.require(gone)))  # type: ignore[misc]
    assert len(list(entries)) == 49


def test_nodes_whose_tags_may_not_be_read_are_counted(crowd: Crowd, plane: PlaneThread, laptop: Laptop) -> None:
    crowd.add("lost", 5, OURS, days=3)
    plane.plane.faults.add("ListTagsForResource", "AccessDeniedException", times=2)
    view = Listing(Access(), Question(status="lost"))
    assert len(list(view)) == 3
    (note,) = view.notes
    assert note.startswith("2 nodes are left out: ssm:ListTagsForResource: access denied")


def test_throttled_tags_are_waited_for(fleet: Fleet, plane: PlaneThread, laptop: Laptop) -> None:
    for number in range(5):
        fleet.add(f"j{number}")
    plane.plane.faults.add("ListTagsForResource", "ThrottlingException", times=3)
    view = Listing(Access(), Question(status="online"), attempts=1)
    assert len(list(view)) == 5


def test_who_we_are(plane: PlaneThread, laptop: Laptop) -> None:
    def user_id(running: Plane) -> str:
        return running.credentials.user.caller.user_id

    assert whose.me(Access(REGION)) == plane.call(user_id)


def test_statuses_are_those_of_the_command() -> None:
    from sm_ssh_entry.cli.nodes import list_nodes

    (option,) = (one for one in list_nodes.params if one.name == "status")
    assert tuple(option.type.choices) == listing.STATUSES  # type: ignore[attr-defined]
