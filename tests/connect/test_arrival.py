"""Waiting for a node: it comes, it does not come, its job ends; on the plane, with SageMaker's answers from moto."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect import arrival, jobs, names, places
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.jobs import Job
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.places import Place
from sm_ssh_entry.errors import ConnectionLost, NotFound, NotRegistered, SmSshError, TimedOut
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.world import Fleet, Laptop
from tests.waiting import wait_until

TARGET = names.parse("j.training.sagemaker")


def wait(timeout: float = 120.0, progress: Callable[[str], None] = print) -> str:
    return arrival.wait(Access(), TARGET, timeout=timeout, progress=progress).node_id


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> list[Job | None]:
    """What SageMaker says: the last entry; an empty list: moto is asked."""
    answers: list[Job | None] = []
    real = jobs.ask
    monkeypatch.setattr(jobs, "ask", lambda client, target: answers[-1] if answers else real(client, target))
    monkeypatch.setattr(arrival, "_JOB_PAUSE", 0.05)
    monkeypatch.setattr(arrival, "_LONGEST_PAUSE", 0.1)
    return answers


def test_a_node_that_is_there(fleet: Fleet, laptop: Laptop) -> None:
    node_id = fleet.add("j")
    lines: list[str] = []
    assert wait(0, lines.append) == node_id
    assert lines == []


def test_a_node_that_comes_while_its_job_gets_on(fleet: Fleet, laptop: Laptop, job: list[Job | None]) -> None:
    job.append(Job("training job", "j", "InProgress", "Starting"))
    lines: list[str] = []
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(wait(progress=lines.append)))
    thread.start()
    wait_until(lambda: any("InProgress, Starting" in line for line in lines))
    job.append(Job("training job", "j", "InProgress", "Training"))
    wait_until(lambda: any("InProgress, Training" in line for line in lines))
    node_id = fleet.add("j")
    thread.join(120)
    assert found == [node_id]
    assert len(lines) == len(set(lines)), "each state is told once"


def test_a_job_that_ends_ends_the_wait(fleet: Fleet, laptop: Laptop, job: list[Job | None]) -> None:
    job.append(Job("training job", "j", "Failed", "Failed", "AlgorithmError: no space"))
    with pytest.raises(NotRegistered, match="AlgorithmError: no space"):
        wait()


def test_a_job_that_ended_after_its_node_was_lost(fleet: Fleet, laptop: Laptop, job: list[Job | None]) -> None:
    fleet.add("j", online=False)
    job.append(Job("training job", "j", "Completed", "Completed"))
    with pytest.raises(ConnectionLost, match="last heard 2 h ago"):
        wait()


def test_no_such_job(laptop: Laptop, job: list[Job | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "_SUBMISSION_GRACE", 1.5)
    lines: list[str] = []
    with pytest.raises(NotFound, match="training job j"):
        wait(progress=lines.append)
    assert lines[-1] == "no training job j yet"


def test_a_deadline_says_how_far_it_got(fleet: Fleet, laptop: Laptop, job: list[Job | None]) -> None:
    job.append(Job("training job", "j", "InProgress", "Downloading"))
    with pytest.raises(TimedOut, match=r"within 0\.4 s: .*InProgress, Downloading"):
        wait(0.4)


def test_who_may_not_ask_sagemaker_waits_all_the_same(
    plane: PlaneThread, fleet: Fleet, laptop: Laptop, job: list[Job | None]
) -> None:
    plane.plane.faults.add("DescribeTrainingJob", "AccessDeniedException")
    with pytest.raises(TimedOut, match="no node has registered"):
        wait(0.4)


def test_an_id_has_no_job_to_ask_about(fleet: Fleet, laptop: Laptop) -> None:
    node_id = fleet.add("j", online=False)
    with pytest.raises(TimedOut, match=node_id):
        arrival.wait(Access(), names.parse(node_id), timeout=0.3, progress=print)


@pytest.mark.parametrize("kind", ["training", "processing", "transform", "inference", "notebook"])
def test_sagemaker_knows_no_such_thing(laptop: Laptop, kind: str) -> None:
    target = names.parse(f"nobody.{kind}.sagemaker")
    assert jobs.describe(Access(), target) is None


def test_a_job_as_sagemaker_describes_it(laptop: Laptop) -> None:
    aws.client("sagemaker").create_processing_job(
        ProcessingJobName="p",
        AppSpecification={"ImageUri": "image"},
        RoleArn="arn:aws:iam::123456789012:role/Role",
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    found = jobs.describe(Access(), names.parse("p.processing.sagemaker"))
    assert found is not None
    assert (found.noun, found.name) == ("processing job", "p")
    assert found.status


def test_registered_is_enough_where_that_is_asked_for(fleet: Fleet, laptop: Laptop, job: list[Job | None]) -> None:
    job.append(Job("training job", "j", "InProgress", "Training"))
    fleet.add("j", online=False)
    with pytest.raises(TimedOut, match="was not registered within"):
        arrival.wait(Access(), TARGET, timeout=0.3, progress=print, goal=arrival.REGISTERED)
    fresh = fleet.add("j", online=False, registered=-5.0, reported=False)
    found = arrival.wait(Access(), TARGET, timeout=0.3, progress=print, goal=arrival.REGISTERED)
    assert found.node_id == fresh


def test_the_native_way_is_waited_for_and_says_once_what_is_missing(
    laptop: Laptop, job: list[Job | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    job.append(Job("training job", "j", "InProgress", "Training"))
    there = Place(Node("sagemaker-training-job:j_algo-1"), native=True)
    answers: list[Place | SmSshError] = [NotFound("there is no training job j")] * 3
    answers += [NotRegistered("remote debugging of training job j is off")] * 5 + [there]

    def look(access: Access, target: names.Target, reach: Reach) -> Place:
        assert reach.via == "native"
        answer = answers.pop(0)
        if isinstance(answer, SmSshError):
            raise answer
        return answer

    monkeypatch.setattr(places, "look", look)
    lines: list[str] = []
    found = arrival.wait(Access(), TARGET, timeout=120, progress=lines.append, reach=Reach(via="native"))
    assert found == there.node
    assert lines == ["there is no training job j", "remote debugging of training job j is off"]


def test_a_resource_that_sagemaker_cannot_be_asked_about_is_not_waited_for(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: object) -> Place:
        raise NotFound("there is no space s")

    monkeypatch.setattr(places, "look", look)
    target = names.parse("default.s.d-1.studio.sagemaker")
    with pytest.raises(NotFound, match="no space s"):
        arrival.wait(Access(), target, timeout=120, progress=print, reach=Reach(via="native"))
