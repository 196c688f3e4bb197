"""Faults, each planted for a while, with the checks that name it and words of their line and fix."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect import elsewhere, greeting
from sm_ssh_entry.connect.doctor import network, policies
from sm_ssh_entry.plane.server import Plane
from tests.connect.doctor import clinic as clinics
from tests.connect.doctor.clinic import Clinic
from tests.connect.world import keygen
from tests.waiting import wait_until

Patch = pytest.MonkeyPatch
Plant = Callable[[Clinic, Patch], AbstractContextManager[None]]
TIER = "/ssm/managed-instance/activation-tier"


@dataclass(frozen=True)
class Fault:
    """A fault: what plants it, which checks are not OK then, and words of the first one's line and fix."""

    plant: Plant
    checks: tuple[str, ...]
    says: str
    fix: str


def variables(**changed: str) -> Plant:
    """Change environment variables; an empty value removes one."""

    @contextmanager
    def plant(_: Clinic, patch: Patch) -> Iterator[None]:
        for name, value in changed.items():
            patch.setenv(name, value) if value else patch.delenv(name)
        aws._session.cache_clear()
        yield
        aws._session.cache_clear()

    return plant


def key_of_another(**limits: object) -> Plant:
    """Be the same person with another key: expired, or one that may not do something."""

    @contextmanager
    def plant(clinic: Clinic, patch: Patch) -> Iterator[None]:
        who = {"user_id": clinic.user_id, "user_arn": "arn:aws:iam::123456789012:user/limited", **limits}
        made = clinic.plane.call(lambda plane: plane.credentials.issue(**who))  # type: ignore[arg-type]
        with variables(**made.environment())(clinic, patch):
            yield

    return plant


@contextmanager
def tier_off(clinic: Clinic, _: Patch) -> Iterator[None]:
    ssm = clinic.client("ssm")
    ssm.update_service_setting(SettingId=TIER, SettingValue="standard")
    yield
    ssm.update_service_setting(SettingId=TIER, SettingValue="advanced")


def environment(**changed: str) -> Plant:
    """Change the job's environment; an empty value removes a variable."""

    def plant(clinic: Clinic, _: Patch) -> AbstractContextManager[None]:
        every = {**clinics._moto_job().environment, **changed}
        return clinic.job(environment={name: value for name, value in every.items() if value})

    return plant


def job(**changed: object) -> Plant:
    return lambda clinic, _: clinic.job(**changed)


def node(**tags: str) -> Plant:
    return lambda clinic, _: clinic.node(**tags)


@contextmanager
def no_trust(clinic: Clinic, _: Patch) -> Iterator[None]:
    change = clinic.client("iam").update_assume_role_policy
    change(RoleName="NodeRole", PolicyDocument=clinics.trust("sagemaker.amazonaws.com"))
    yield
    change(RoleName="NodeRole", PolicyDocument=clinics.trust("ssm.amazonaws.com"))


@contextmanager
def no_core(clinic: Clinic, _: Patch) -> Iterator[None]:
    iam = clinic.client("iam")
    iam.delete_role_policy(RoleName="NodeRole", PolicyName="core")
    yield
    policy = clinics.document(policies.node())
    iam.put_role_policy(RoleName="NodeRole", PolicyName="core", PolicyDocument=policy)


def execution_without(action: str) -> Plant:
    @contextmanager
    def plant(clinic: Clinic, _: Patch) -> Iterator[None]:
        clinics.allow_execution(clinic, without=action)
        yield
        clinics.allow_execution(clinic)

    return plant


def endpoint(service: str, *, private: bool | None = None) -> Plant:
    """Remove an endpoint; or make it anew with private DNS off."""

    @contextmanager
    def plant(clinic: Clinic, _: Patch) -> Iterator[None]:
        remove = clinic.client("ec2").delete_vpc_endpoints
        remove(VpcEndpointIds=[clinic.endpoints[service]])
        made = [clinics.make_endpoint(clinic, service, private=private)] if private is not None else []
        yield
        if made:
            remove(VpcEndpointIds=made)
        clinic.endpoints[service] = clinics.make_endpoint(clinic, service)

    return plant


@contextmanager
def closed_group(clinic: Clinic, _: Patch) -> Iterator[None]:
    clinics.let_in(clinic, revoke=True)
    yield
    clinics.let_in(clinic)


@contextmanager
def dead_agent(clinic: Clinic, _: Patch) -> Iterator[None]:
    """The agent is gone, and has been for an hour."""
    clinic.agent.stop()
    wait_until(lambda: not clinic.agent.attached(), what="the end of the control channel")

    def age(plane: Plane) -> None:
        found, then = plane.store.nodes.require(clinic.agent.node_id), plane.store.clock() - 7200
        found.channel_lost = then
        found.ping(then)

    clinic.plane.call(age)
    yield
    clinic.agent.start()
    clinic.agent.online()


@contextmanager
def sshd_down(clinic: Clinic, patch: Patch) -> Iterator[None]:
    patch.setattr(greeting, "SECONDS", 1.0)
    clinic.sshd.stop()
    yield
    clinic.sshd.start()


@contextmanager
def key_taken_out(clinic: Clinic, _: Patch) -> Iterator[None]:
    before = clinic.sshd.keys.read_text()
    other = clinic.home / "other"
    clinic.sshd.keys.write_text((other.with_suffix(".pub").read_text() if other.exists() else keygen(other)) + "\n")
    yield
    clinic.sshd.keys.write_text(before)


@contextmanager
def no_ssh(clinic: Clinic, patch: Patch) -> Iterator[None]:
    empty = clinic.home / "bin"
    empty.mkdir(exist_ok=True)
    patch.setenv("PATH", str(empty))
    yield


@contextmanager
def open_key(clinic: Clinic, _: Patch) -> Iterator[None]:
    key = clinic.home / ".ssh" / "id_ed25519"
    key.chmod(0o644)
    yield
    key.chmod(0o600)


@contextmanager
def open_folder(clinic: Clinic, _: Patch) -> Iterator[None]:
    (clinic.home / ".ssh").chmod(0o777)
    yield
    (clinic.home / ".ssh").chmod(0o700)


@contextmanager
def bad_config(clinic: Clinic, _: Patch) -> Iterator[None]:
    path = clinic.home / ".ssh" / "config"
    path.write_text("Host *\n    NoSuchOption yes\n")
    yield
    path.unlink()


@contextmanager
def wrong_clock(_: Clinic, patch: Patch) -> Iterator[None]:
    """This machine's clock is an hour ahead, for us and for what signs requests."""
    import botocore.auth
    import botocore.compat

    original = botocore.compat.get_current_datetime

    def ahead(*args: object, **options: object) -> object:
        from datetime import timedelta

        return original(*args, **options) + timedelta(hours=1)

    patch.setattr(botocore.auth, "get_current_datetime", ahead)
    patch.setattr(network, "now", lambda: time.time() + 3600)
    yield


@contextmanager
def another_region(clinic: Clinic, patch: Patch) -> Iterator[None]:
    patch.setattr(elsewhere, "known_regions", lambda _: ["eu-west-1", "us-east-1"])
    with variables(AWS_REGION="eu-west-1")(clinic, patch):
        yield


@contextmanager
def nothing_listens(clinic: Clinic, patch: Patch) -> Iterator[None]:
    with variables(AWS_ENDPOINT_URL="http://127.0.0.1:1")(clinic, patch):
        yield


FAULTS: dict[str, Fault] = {
    "no credentials": Fault(
        variables(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""),
        ("account.credentials",),
        "no usable AWS credentials",
        "AWS_PROFILE",
    ),
    "expired credentials": Fault(key_of_another(expires_in=-1), ("account.credentials",), "expired", "renew"),
    "no such region": Fault(
        variables(AWS_REGION="mars-north-1", AWS_DEFAULT_REGION="mars-north-1"),
        ("account.region",),
        "'mars-north-1' is not a region",
        "AWS_REGION=us-east-1",
    ),
    "no region": Fault(
        variables(AWS_REGION="", AWS_DEFAULT_REGION=""), ("account.region",), "no AWS region is set", "AWS_REGION"
    ),
    "the job is in another region": Fault(
        another_region, ("resource.exists",), "is in us-east-1, not in eu-west-1", "us-east-1"
    ),
    "tier off": Fault(tier_off, ("account.tier",), "standard", "aws ssm update-service-setting"),
    "no such SSM role": Fault(
        environment(SSH_SSM_ROLE="ssh/Nobody"), ("ssm-role.exists", "role.tags", "role.pass"), "Nobody", "create-role"
    ),
    "SSM role without trust": Fault(no_trust, ("ssm-role.trust",), "does not trust", '"ssm.amazonaws.com"'),
    "SSM role without permissions": Fault(
        no_core, ("ssm-role.permissions",), "ssmmessages:CreateControlChannel", "AmazonSSMManagedInstanceCore"
    ),
    "execution role without CreateActivation": Fault(
        execution_without("ssm:CreateActivation"), ("role.activation",), "ssm:CreateActivation", "put-role-policy"
    ),
    "execution role without AddTagsToResource": Fault(
        execution_without("ssm:AddTagsToResource"), ("role.tags",), "ssm:AddTagsToResource", "role/ssh/NodeRole"
    ),
    "execution role without PassRole": Fault(
        execution_without("iam:PassRole"), ("role.pass",), "iam:PassRole", "iam:PassedToService"
    ),
    "caller without StartSession": Fault(
        key_of_another(deny=["ssm:StartSession"]), ("caller.start",), "ssm:StartSession", "${aws:userid}"
    ),
    "caller without DescribeInstanceInformation": Fault(
        key_of_another(deny=["ssm:DescribeInstanceInformation"]),
        ("caller.find",),
        "ssm:DescribeInstanceInformation",
        '"ssm:DescribeInstanceInformation"',
    ),
    "caller without ListTagsForResource": Fault(
        key_of_another(deny=["ssm:ListTagsForResource"]),
        ("caller.tags",),
        "ssm:ListTagsForResource",
        '"ssm:ListTagsForResource"',
    ),
    "caller without SendCommand": Fault(
        key_of_another(deny=["ssm:SendCommand"]), ("caller.send",), "ssm:SendCommand", "AWS-RunShellScript"
    ),
    "caller without TerminateSession": Fault(
        key_of_another(deny=["ssm:TerminateSession"]), ("caller.end",), "ssm:TerminateSession", "session-id"
    ),
    "another's job": Fault(
        environment(SSH_OWNER_TAG="AROAOTHER:jane"), ("resource.owner",), "AROAOTHER:jane", "SSH_OWNER_TAG="
    ),
    "another's node": Fault(node(SSHOwner="AROAOTHER:jane"), ("node.owner",), "AROAOTHER:jane", "SSH_OWNER_TAG="),
    "START_SSH missing": Fault(environment(START_SSH=""), ("resource.ssh",), "START_SSH", "START_SSH=true"),
    "network isolation": Fault(
        job(enable_network_isolation=True), ("resource.isolation",), "network isolation", "EnableNetworkIsolation"
    ),
    "the job has failed": Fault(
        job(training_job_status="Failed", secondary_status="Failed", failure_reason="out of memory"),
        ("resource.running",),
        "out of memory",
        "submit it again",
    ),
    "no endpoint ssmmessages": Fault(
        endpoint("ssmmessages"), ("vpc.ssmmessages",), "no endpoint for ssmmessages", "aws ec2 create-vpc-endpoint"
    ),
    "private DNS off": Fault(
        endpoint("ssm", private=False), ("vpc.ssm",), "private DNS", "aws ec2 modify-vpc-endpoint"
    ),
    "security group closed": Fault(
        closed_group, ("vpc.ssm",), "does not let the job in", "authorize-security-group-ingress"
    ),
    "node ConnectionLost": Fault(dead_agent, ("node.online",), "ConnectionLost", "job's log"),
    "not registered": Fault(node(SSHResourceName="other"), ("node.registered",), "no node has registered", "START_SSH"),
    "no host key in the tags": Fault(node(SSHHostKey=""), ("node.tags",), "SSHHostKey", "restart the job"),
    "sshd down": Fault(sshd_down, ("login.session",), "no sshd answers", "job's log"),
    "key refused": Fault(key_taken_out, ("login.key",), "sshd refuses SHA256:", "SSH_AUTHORIZED_KEYS="),
    "no ssh on PATH": Fault(no_ssh, ("client.openssh",), "there is no ssh on PATH", "openssh"),
    "a key that others may read": Fault(open_key, ("client.key",), "0644", "chmod 600"),
    "a folder that others may write to": Fault(open_folder, ("client.folder",), "others may write", "chmod go-w"),
    "a configuration that ssh does not take": Fault(bad_config, ("client.config",), "NoSuchOption".lower(), "mend"),
    "a proxy that is none": Fault(variables(HTTPS_PROXY="http://:0"), ("client.proxies",), "https_proxy", "export"),
    "no certificates": Fault(
        variables(AWS_CA_BUNDLE="/nowhere.pem"), ("client.certificates",), "/nowhere.pem", "AWS_CA_BUNDLE"
    ),
    "a wrong clock": Fault(wrong_clock, ("client.clock",), "ahead of AWS's", "timedatectl"),
    "no network": Fault(nothing_listens, ("network.ssm",), "does not answer", "interface endpoint ssm"),
}
