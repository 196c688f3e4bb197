"""SageMaker's own ways in: a real stand-in agent that registered under a target, and the refusals around it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane import job_records, native
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent.processes import Agent
from tests.plane.agent.session_client import following
from tests.plane.conftest import REGION, ClientMaker

JOB = "sagemaker-training-job:j_algo-1"
NativeMaker = Callable[..., Agent]


@pytest.fixture
def start(shared_plane: PlaneThread, ssm: Any, tmp_path: Path) -> Iterator[NativeMaker]:
    """Start an agent as SageMaker does: under a target."""
    made: list[Agent] = []

    def make(target: str, port: int = 22) -> Agent:
        agent = Agent(shared_plane, ssm, tmp_path / f"root-{len(made)}", tmp_path / f"log-{len(made)}")
        found = shared_plane.call(lambda plane: native.activate(plane.store, target, REGION, port=port))
        flags = ["-register", "-code", found.code, "-id", found.activation_id, "-region", REGION]
        done = agent.cli(*flags)
        assert done.ok, done
        agent.node_id = json.loads(agent.paths.registration.read_text())["ManagedInstanceID"]
        agent.start()
        made.append(agent)
        return agent.online()

    yield make
    for agent in made:
        agent.stop()


def note(plane: PlaneThread, name: str = "j", **fields: Any) -> None:
    plane.call(lambda running: job_records.note(running.store, {"name": name, "region": REGION, **fields}))


def refusal(ssm: Any, target: str) -> str:
    assert ssm.get_connection_status(Target=target)["Status"] == "notconnected"
    with pytest.raises(ClientError) as error:
        ssm.start_session(Target=target)
    return str(error.value.response["Error"]["Code"])


def opens(ssm: Any, target: str) -> str:
    assert ssm.get_connection_status(Target=target)["Status"] == "connected"
    session_id = str(ssm.start_session(Target=target)["SessionId"])
    (found,) = [one for one in ssm.describe_sessions(State="Active")["Sessions"] if one["SessionId"] == session_id]
    return str(found["Target"])


def test_a_training_job_with_remote_debug(shared_plane: PlaneThread, ssm: Any, start: NativeMaker) -> None:
    agent = start(JOB)
    assert refusal(ssm, JOB) == "TargetNotConnected"
    note(shared_plane)
    assert refusal(ssm, JOB) == "TargetNotConnected", "remote debug is off"
    note(shared_plane, job_status="Completed")
    note(shared_plane, native=True)
    assert opens(ssm, JOB) == JOB
    assert refusal(ssm, "sagemaker-training-job:j_algo-2") == "TargetNotConnected"
    # It needs no tier, and is no managed node.
    ssm.update_service_setting(SettingId="/ssm/managed-instance/activation-tier", SettingValue="standard")
    assert opens(ssm, JOB) == JOB
    assert ssm.describe_instance_information()["InstanceInformationList"] == []
    assert ssm.describe_activations()["ActivationList"] == []
    assert refusal(ssm, agent.node_id) == "TargetNotConnected"
    for call, arguments in (
        (ssm.deregister_managed_instance, {"InstanceId": agent.node_id}),
        (
            ssm.send_command,
            {
                "InstanceIds": [agent.node_id],
                "DocumentName": "AWS-RunShellScript",
                "Parameters": {"commands": ["true"]},
            },
        ),
        (ssm.list_tags_for_resource, {"ResourceType": "ManagedInstance", "ResourceId": agent.node_id}),
    ):
        with pytest.raises(ClientError) as error:
            call(**arguments)
        assert error.value.response["Error"]["Code"] in {"InvalidInstanceId", "InvalidResourceId"}
    note(shared_plane, job_status="Stopped")
    assert refusal(ssm, JOB) == "TargetNotConnected", "the job has ended"


def test_an_agent_that_is_gone(shared_plane: PlaneThread, ssm: Any, start: NativeMaker) -> None:
    note(shared_plane, native=True)
    agent = start(JOB)
    agent.stop()
    assert refusal(ssm, JOB) == "TargetNotConnected"
    start(JOB)
    assert opens(ssm, JOB) == JOB, "the one that came later"


def test_an_endpoint_with_ssm_access(shared_plane: PlaneThread, ssm: Any, start: NativeMaker) -> None:
    target = "sagemaker-endpoint:e_AllTraffic_i-0123456789abcdef0"
    start(target)
    note(shared_plane, "e", kind="inference")
    assert refusal(ssm, target) == "TargetNotConnected"
    note(shared_plane, "e", kind="inference", job_status="Stopped")
    note(shared_plane, "e", kind="inference", native=True)
    assert opens(ssm, target) == target
    note(shared_plane, "e", kind="inference", job_status="Failed")
    assert refusal(ssm, target) == "TargetNotConnected"


def test_an_instance_of_a_cluster(client: ClientMaker, ssm: Any, start: NativeMaker) -> None:
    sagemaker = client("sagemaker")
    group = {
        "InstanceGroupName": "workers",
        "InstanceType": "ml.m5.large",
        "InstanceCount": 1,
        "LifeCycleConfig": {"SourceS3Uri": "s3://sagemaker-x", "OnCreate": "on.sh"},
        "ExecutionRole": "arn:aws:iam::123456789012:role/Job",
    }
    sagemaker.create_cluster(ClusterName="c", InstanceGroups=[group])
    (node,) = sagemaker.list_cluster_nodes(ClusterName="c")["ClusterNodeSummaries"]
    target = f"sagemaker-cluster:c_workers-{node['InstanceId']}"
    start(target)
    start("sagemaker-cluster:c_workers-i-0123")
    assert opens(ssm, target) == target
    assert refusal(ssm, "sagemaker-cluster:c_workers-i-0123") == "TargetNotConnected"


def test_a_session_into_a_space_leads_to_its_ssh_port(
    shared_plane: PlaneThread, client: ClientMaker, ssm: Any, start: NativeMaker
) -> None:
    sagemaker = client("sagemaker")
    note(shared_plane, "mine", kind="studio", native=True)
    (space,) = sagemaker.list_spaces()["Spaces"]
    arn = sagemaker.describe_space(DomainId=space["DomainId"], SpaceName="mine")["SpaceArn"]
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def banner() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"SSH-2.0-space\r\n")
                connection.recv(1)

        threading.Thread(target=banner, daemon=True).start()
        start(arn, listening.getsockname()[1])
        answer = sagemaker.start_session(ResourceIdentifier=arn)

        async def first_line() -> bytes:
            async with following(ssm, answer) as opened:
                return await opened.expect(b"\n")

        assert asyncio.run(first_line()) == b"SSH-2.0-space\r\n"
    note(shared_plane, "mine", kind="studio", job_status="Stopped")
    with pytest.raises(ClientError, match="no app in service"):
        sagemaker.start_session(ResourceIdentifier=arn)


@pytest.mark.parametrize("target", ["", "mi-0123456789abcdef0", "sagemaker-job:x", "arn:aws:s3:::bucket"])
def test_what_is_no_target(shared_plane: PlaneThread, target: str) -> None:
    with pytest.raises(AwsError, match="names no container"):
        shared_plane.call(lambda plane: native.activate(plane.store, target, REGION))
