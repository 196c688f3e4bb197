"""A healthy patient: a plane with roles, a VPC, a job, and a node on which a real sshd and the stand-in agent run."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session

from sm_ssh_entry import contract
from sm_ssh_entry.connect import hostkeys
from sm_ssh_entry.connect.doctor import policies
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.world import REGION, Sshd, keygen
from tests.plane.agent.processes import Agent
from tests.plane.scripted import aws

JOB = "patient"
HOST = f"{getpass.getuser()}@{JOB}.training.sagemaker"
_VERSION = "2012-10-17"
ENDPOINTS = ("ssm", "ssmmessages", "ec2messages", "sts", "logs")


@dataclass
class Clinic:
    """What tests plant faults into. Ids are of the VPC's parts; ``endpoints`` by service."""

    plane: PlaneThread
    sshd: Sshd
    agent: Agent
    home: Path
    user_id: str
    ids: dict[str, str] = field(default_factory=dict)
    endpoints: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return an administrator's client."""
        keys = self.plane.environment()
        return botocore.session.get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.plane.url,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        )

    @contextmanager
    def job(self, **changed: Any) -> Iterator[None]:
        """Change fields of the job's record, for a while."""
        record = vars(_moto_job())
        before = dict(record)
        record.update(changed)
        try:
            yield
        finally:
            record.clear()
            record.update(before)

    @contextmanager
    def node(self, **tags: str) -> Iterator[None]:
        """Change tags of the node, for a while; an empty value removes one."""

        def retag(wanted: Mapping[str, str]) -> dict[str, str]:
            def change(running: Any) -> dict[str, str]:
                node = running.store.nodes.require(self.agent.node_id)
                before = dict(node.tags)
                running.store.nodes.retag(node, {key: value for key, value in wanted.items() if value})
                return before

            return self.plane.call(change)

        before = retag({})
        retag({**before, **tags})
        try:
            yield
        finally:
            retag(before)


def _moto_job() -> Any:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sagemaker.models import sagemaker_backends

    return sagemaker_backends[DEFAULT_ACCOUNT_ID][REGION].training_jobs[JOB]


def document(*statements: Mapping[str, Any]) -> str:
    """Write a policy."""
    return json.dumps({"Version": _VERSION, "Statement": list(statements)})


def trust(service: str) -> str:
    """Write the trust of a role in a service."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


@contextmanager
def open_clinic(folder: Path) -> Iterator[Clinic]:
    """Make everything, and take it down again."""
    home = folder / "home"
    (home / ".ssh").mkdir(mode=0o700, parents=True)
    key = keygen(home / ".ssh" / "id_ed25519")
    with PlaneThread() as plane:
        sshd = Sshd(folder / "sshd").start()
        sshd.keys.write_text(key + "\n")
        agent = Agent(plane, aws(plane), folder / "root", folder / "log", extra={"HOME": str(sshd.folder)})
        clinic = Clinic(plane, sshd, agent, home, "")
        clinic.user_id = clinic.client("sts").get_caller_identity()["UserId"]
        _roles(clinic)
        _network(clinic)
        _submit(clinic)
        tags = {
            contract.TAG_RESOURCE_NAME: JOB,
            contract.TAG_RESOURCE_KIND: "training",
            contract.TAG_NODE: "algo-1",
            contract.TAG_HOST_KEY: sshd.host_key,
            contract.TAG_PORT: str(sshd.port),
            contract.TAG_OWNER: clinic.user_id,
            contract.TAG_KEY_FINGERPRINTS: hostkeys.fingerprint(key),
        }
        flags = agent.activate(Tags=[{"Key": name, "Value": value} for name, value in tags.items()])
        assert agent.cli(*flags).ok
        agent.node_id = json.loads(agent.paths.registration.read_text())["ManagedInstanceID"]
        agent.start()
        try:
            agent.online()
            yield clinic
        finally:
            agent.stop()
            sshd.stop()


def _roles(clinic: Clinic) -> None:
    iam = clinic.client("iam")
    node = iam.create_role(RoleName="NodeRole", Path="/ssh/", AssumeRolePolicyDocument=trust("ssm.amazonaws.com"))
    iam.put_role_policy(RoleName="NodeRole", PolicyName="core", PolicyDocument=document(policies.node()))
    clinic.ids["node role"] = node["Role"]["Arn"]
    made = iam.create_role(RoleName="Execution", AssumeRolePolicyDocument=trust("sagemaker.amazonaws.com"))
    clinic.ids["role"] = made["Role"]["Arn"]
    allow_execution(clinic)


def allow_execution(clinic: Clinic, *, without: str = "") -> None:
    """Give the execution role what it needs, but for one action."""
    statements = [one for one in policies.execution(clinic.ids["node role"]) if one["Action"] != without]
    clinic.client("iam").put_role_policy(
        RoleName="Execution", PolicyName="sm-ssh", PolicyDocument=document(*statements)
    )


def _network(clinic: Clinic) -> None:
    ec2, ids = clinic.client("ec2"), clinic.ids
    ids["vpc"] = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=ids["vpc"], EnableDnsHostnames={"Value": True})
    ids["subnet"] = ec2.create_subnet(VpcId=ids["vpc"], CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    for name in ("job", "endpoint"):
        made = ec2.create_security_group(GroupName=name, Description=name, VpcId=ids["vpc"])
        ids[f"{name} group"] = made["GroupId"]
    let_in(clinic)
    for service in ENDPOINTS:
        clinic.endpoints[service] = make_endpoint(clinic, service)


def let_in(clinic: Clinic, *, revoke: bool = False) -> None:
    """Let the job in to the endpoints on port 443, or no longer."""
    ec2 = clinic.client("ec2")
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "UserIdGroupPairs": [{"GroupId": clinic.ids["job group"]}],
    }
    change = ec2.revoke_security_group_ingress if revoke else ec2.authorize_security_group_ingress
    change(GroupId=clinic.ids["endpoint group"], IpPermissions=[rule])


def make_endpoint(clinic: Clinic, service: str, *, private: bool = True) -> str:
    """Make an interface endpoint and return its id."""
    made = clinic.client("ec2").create_vpc_endpoint(
        VpcId=clinic.ids["vpc"],
        VpcEndpointType="Interface",
        ServiceName=f"com.amazonaws.{REGION}.{service}",
        SubnetIds=[clinic.ids["subnet"]],
        SecurityGroupIds=[clinic.ids["endpoint group"]],
        PrivateDnsEnabled=private,
    )
    return str(made["VpcEndpoint"]["VpcEndpointId"])


def _submit(clinic: Clinic) -> None:
    clinic.client("sagemaker").create_training_job(
        TrainingJobName=JOB,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        RoleArn=clinic.ids["role"],
        OutputDataConfig={"S3OutputPath": "s3://bucket/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        VpcConfig={"Subnets": [clinic.ids["subnet"]], "SecurityGroupIds": [clinic.ids["job group"]]},
        Environment={
            contract.START_SSH: "true",
            contract.SSH_SSM_ROLE: "ssh/NodeRole",
            contract.SSH_OWNER_TAG: clinic.user_id,
        },
    )
    job = _moto_job()
    job.training_job_status, job.secondary_status = "InProgress", "Training"
