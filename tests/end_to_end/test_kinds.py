"""Every kind of container, from its record in SageMaker to a login with plain ``ssh``, as real processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.connect.world import keygen
from tests.end_to_end.machine import Job, Machine
from tests.waiting import wait_until

# What the container says when it starts, into the log that SageMaker keeps.
HELLO = "hello from the container"
SCRIPT = f"echo {HELLO}; trap 'exit 0' TERM; sleep 600 & wait"


@dataclass(frozen=True)
class Kind:
    """One kind: the names of its container, its log's group, and how its record ends when it is stopped."""

    kind: str
    host: str
    group: str
    ended: str
    native: bool = False

    @property
    def name(self) -> str:
        """The resource's own name."""
        return f"{self.kind}-{'native' if self.native else 'one'}"


KINDS = (
    Kind("training", "training-one.training.sagemaker", "/aws/sagemaker/TrainingJobs", "Stopped"),
    Kind("processing", "processing-one.processing.sagemaker", "/aws/sagemaker/ProcessingJobs", "Stopped"),
    Kind("transform", "transform-one.transform.sagemaker", "/aws/sagemaker/TransformJobs", "Stopped"),
    Kind("inference", "inference-one.inference.sagemaker", "/aws/sagemaker/Endpoints/inference-one", ""),
    Kind("studio", "default.studio-one.d-local.studio.sagemaker", "/aws/sagemaker/studio", "Deleted"),
    Kind("notebook", "notebook-one.notebook.sagemaker", "/aws/sagemaker/NotebookInstances", "Stopped"),
)
NATIVE = (
    Kind("training", "training-native.training.sagemaker", "/aws/sagemaker/TrainingJobs", "Stopped", native=True),
    Kind("studio", "studio-native.d-local.studio.sagemaker", "/aws/sagemaker/studio", "Deleted", native=True),
)


def title(kind: Kind) -> str:
    return kind.name


@pytest.fixture(scope="module")
def key(machine: Machine) -> str:
    """The user's key."""
    (machine.home / ".ssh").mkdir(mode=0o700, exist_ok=True)
    return keygen(machine.home / ".ssh" / "id_ed25519")


@pytest.fixture(scope="module")
def config(machine: Machine, key: str) -> str:
    """A configuration of ssh that has our names in it."""
    path = machine.home / "config"
    path.write_text(machine.run("connect", "--print-config").stdout)
    return str(path)


@pytest.fixture(scope="module")
def running(machine: Machine, key: str) -> Iterator[dict[str, Job]]:
    """One container of each kind, all started at once; those with SageMaker's own agent alone register no node."""
    jobs = {}
    for one in (*KINDS, *NATIVE):
        options = ["--kind", one.kind, "--env", f"MARK={one.name}"]
        if one.native:
            # Nothing pushes a key there.
            options += ["--native", "--env", "SSH_INSTANCE_COUNT=0", "--env", f"SSH_AUTHORIZED_KEYS={key}"]
        jobs[one.name] = machine.job(one.name, "sh", "-c", SCRIPT, options=tuple(options))
    yield jobs
    for job in jobs.values():
        job.kill()


def client(machine: Machine, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=machine.env["AWS_ENDPOINT_URL"],
        region_name=machine.env["AWS_REGION"],
        aws_access_key_id=machine.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=machine.env["AWS_SECRET_ACCESS_KEY"],
    )


def status(machine: Machine, one: Kind) -> str:
    """What SageMaker says of the resource; ``""``: it knows none such."""
    sagemaker = client(machine, "sagemaker")
    describe: dict[str, Any] = {
        "training": lambda: sagemaker.describe_training_job(TrainingJobName=one.name)["TrainingJobStatus"],
        "processing": lambda: sagemaker.describe_processing_job(ProcessingJobName=one.name)["ProcessingJobStatus"],
        "transform": lambda: sagemaker.describe_transform_job(TransformJobName=one.name)["TransformJobStatus"],
        "inference": lambda: sagemaker.describe_endpoint(EndpointName=one.name)["EndpointStatus"],
        "studio": lambda: sagemaker.describe_app(
            DomainId="d-local", SpaceName=one.name, AppType="JupyterLab", AppName="default"
        )["Status"],
        "notebook": lambda: sagemaker.describe_notebook_instance(NotebookInstanceName=one.name)[
            "NotebookInstanceStatus"
        ],
    }
    try:
        return str(describe[one.kind]())
    except ClientError as error:
        return "" if "Could not find" in str(error) else str(error)


def login(machine: Machine, config: str, host: str, script: str) -> subprocess.CompletedProcess[str]:
    return machine.call(["ssh", "-F", config, host, script])


@pytest.mark.parametrize("one", KINDS, ids=title)
def test_plain_ssh_reaches_the_container(machine: Machine, config: str, running: dict[str, Job], one: Kind) -> None:
    running[one.name].saw("Managed instance-id: mi-")
    assert machine.run("wait", one.host, "--timeout", "120").returncode == 0
    done = login(machine, config, one.host, 'printf %s "$MARK"')
    assert (done.returncode, done.stdout) == (0, one.name), done.stderr
    assert status(machine, one) in {"InProgress", "InService"}


def test_list_shows_them_all(machine: Machine, running: dict[str, Job]) -> None:
    wanted = {}
    for one in KINDS:
        node_id = running[one.name].saw(r"Managed instance-id: (mi-[0-9a-f]{17})").group(1)
        wanted[one.host] = (one.kind, node_id)
    done = machine.run("list", "--output", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    nodes = [row for row in rows if row["node_id"]]
    assert {row["name"].removeprefix("algo-1."): (row["kind"], row["node_id"]) for row in nodes} == wanted
    unregistered = {row["resource"] for row in rows if row["status"] == "not registered"}
    assert "training-native" in unregistered


@pytest.mark.parametrize("one", NATIVE, ids=title)
def test_sagemakers_own_way_leads_to_the_container_where_nothing_registers(
    machine: Machine, config: str, running: dict[str, Job], one: Kind
) -> None:
    running[one.name].saw("node 0 of the job: sshd only")

    def reached() -> bool:
        done = login(machine, config, one.host, 'printf %s "$MARK"')
        assert done.returncode == 0 or "not connected" in done.stderr.lower(), done.stderr
        return done.stdout == one.name

    wait_until(reached, what="SageMaker's own agent")
    information = client(machine, "ssm").describe_instance_information(
        Filters=[{"Key": "tag:SSHResourceName", "Values": [one.name]}]
    )
    assert information["InstanceInformationList"] == []


@pytest.mark.parametrize("one", [*KINDS, *NATIVE], ids=title)
def test_its_log_is_in_cloudwatch_while_it_runs(machine: Machine, running: dict[str, Job], one: Kind) -> None:
    running[one.name].saw(HELLO)
    logs = client(machine, "logs")

    def messages() -> list[str]:
        if not logs.describe_log_groups(logGroupNamePrefix=one.group)["logGroups"]:
            return []
        found = logs.filter_log_events(logGroupName=one.group)["events"]
        return [event["message"] for event in found if one.name in event["logStreamName"] or one.kind == "inference"]

    wait_until(lambda: HELLO in messages(), what="the line")
    assert running[one.name].process.poll() is None


@pytest.mark.parametrize("one", [*KINDS, *NATIVE], ids=title)
def test_the_record_ends_as_the_process_does(machine: Machine, running: dict[str, Job], one: Kind) -> None:
    running[one.name].kill()
    assert status(machine, one) == one.ended


def test_a_failure_is_in_the_record(machine: Machine) -> None:
    job = machine.job("broken", "sh", "-c", "exit 3", options=("--kind", "inference"))
    assert job.end() == 3
    answer = client(machine, "sagemaker").describe_endpoint(EndpointName="broken")
    assert answer["EndpointStatus"] == "Failed"
    assert "has ended" in answer["FailureReason"]
