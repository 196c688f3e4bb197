"""The container side against the embedded control plane and its stand-in agent: nothing here is faked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.plane.server import PlaneThread
from tests.boot.container import Container
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def plane() -> Iterator[PlaneThread]:
    with PlaneThread() as thread:
        yield thread


@pytest.fixture
def node(tmp_path: Path, plane: PlaneThread) -> Iterator[Container]:
    made = Container(tmp_path, plane.url)
    made.env.update(plane.environment())
    made.env["SM_SSH_AGENT"] = f"{sys.executable} -m sm_ssh_entry.plane.agent"
    yield made
    made.close()


@pytest.fixture
def ssm(plane: PlaneThread) -> Iterator[Any]:
    env = plane.environment()
    client = botocore.session.get_session().create_client(
        "ssm",
        region_name=env["AWS_REGION"],
        endpoint_url=plane.url,
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    yield client
    client.close()


def listed(ssm: Any, name: str) -> list[dict[str, Any]]:
    filters = [{"Key": f"tag:{contract.TAG_RESOURCE_NAME}", "Values": [name]}]
    found: list[dict[str, Any]] = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    return found


def test_node_is_online_found_by_its_tag_and_taken_out(node: Container, ssm: Any) -> None:
    node.env.update(TRAINING_JOB_NAME="on-the-plane", SSH_DEREGISTER_ON_EXIT="true")
    job = node.spawn("sh", "-c", "read _; exit 4", stdin=subprocess.PIPE)
    found = node.wait_phase("online", timeout=40)
    wait_until(lambda: [one["PingStatus"] for one in listed(ssm, "on-the-plane")] == ["Online"], 20)
    assert listed(ssm, "on-the-plane")[0]["InstanceId"] == found["node_id"]
    tags = ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=found["node_id"])["TagList"]
    values = {tag["Key"]: tag["Value"] for tag in tags}
    assert values[contract.TAG_PORT] == str(found["port"])
    assert values[contract.TAG_HOST_KEY] == (node.paths.run / "ssh_host_ed25519_key.pub").read_text().strip()
    _, err = job.communicate(b"\n", timeout=120)
    assert job.returncode == 4
    assert f"deregistered {found['node_id']}".encode() in err
    assert listed(ssm, "on-the-plane") == []


def test_key_push_by_run_command(node: Container, ssm: Any) -> None:
    node.spawn("sh", "-c", "read _", stdin=subprocess.PIPE)
    found = node.wait_phase("online", timeout=40)
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICQBkQllwvmwUZp639Fhlc9B/rSNw8heynR5TfdWahf/"
    entry = '"${SM_SSH_ROOT:-}/opt/sm-ssh/bin/sm-ssh-entry"'
    sent = ssm.send_command(
        InstanceIds=[found["node_id"]],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [f"{entry} authorize '{key}'"]},
    )
    wanted = {"CommandId": sent["Command"]["CommandId"], "InstanceId": found["node_id"]}

    def result() -> dict[str, Any] | None:
        try:
            got: dict[str, Any] = ssm.get_command_invocation(**wanted)
        except ssm.exceptions.InvocationDoesNotExist:
            return None
        return got if got["Status"] not in ("Pending", "InProgress") else None

    done = wait_until(result, 30)
    assert (done["Status"], done["StandardOutputContent"].split()[0]) == ("Success", "authorized")
    assert node.paths.authorized_keys.read_text() == f"{key}\n"


@pytest.mark.parametrize(
    ("code", "cause"), [("AccessDeniedException", "access denied"), ("ThrottlingException", "throttling these calls")]
)
def test_faulty_plane_is_one_line_and_the_jobs_own_status(
    node: Container, plane: PlaneThread, code: str, cause: str
) -> None:
    plane.plane.faults.add("CreateActivation", code=code, message="made by a test", times=50)
    try:
        job = node.spawn("sh", "-c", "read _; exit 9", stdin=subprocess.PIPE)
        assert job.stderr is not None
        line = job.stderr.readline().decode()
        assert line.startswith("[sm-ssh] ERROR ")
        assert cause in line
        assert "(hint: " in line
        _, rest = job.communicate(b"\n", timeout=120)
        assert (job.returncode, rest) == (9, b"")
    finally:
        plane.reset()
