"""Each fault, planted one at a time on a plane, is named with its fix; a healthy plane has nothing that is not OK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.doctor import checks, examination
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Finding, Status
from tests.connect.doctor.clinic import HOST, Clinic, open_clinic
from tests.connect.doctor.faults import FAULTS, Patch, key_of_another, node, tier_off
from tests.connect.world import WITHOUT_SSHD, Laptop
from tests.waiting import wait_until

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    with open_clinic(tmp_path_factory.mktemp("clinic")) as clinic:
        aws._session.cache_clear()
        yield clinic
        aws._session.cache_clear()


@pytest.fixture
def clinic(shared: Clinic, home: Path, monkeypatch: Patch) -> Clinic:
    """The clinic, seen from the laptop of its owner."""
    monkeypatch.setenv("HOME", str(shared.home))
    for name, value in shared.plane.environment().items():
        monkeypatch.setenv(name, value)
    return shared


def examined(*names_of: str) -> dict[str, Finding]:
    """Take all checks; or, where some are named, these and whatever they wait for."""
    case = Case(Reach(), names.parse(HOST))
    every = {check.name: check for check in checks.chosen(case)}
    wanted, more = set(names_of), list(names_of)
    while more:
        check = every[more.pop()]
        new = {*check.needs, *check.after} - wanted
        wanted |= new
        more += new
    return examination.examine(case, [one for name, one in every.items() if name in wanted or not names_of])


def wrong(found: dict[str, Finding]) -> dict[str, Finding]:
    """What is not OK."""
    return {name: one for name, one in found.items() if one.status is Status.BAD}


def test_a_healthy_plane(clinic: Clinic) -> None:
    found = examined()
    assert list(found) == [check.name for check in checks.CHECKS]
    assert wrong(found) == {}
    not_made = {name for name, one in found.items() if one.status is Status.UNCHECKED}
    # No configuration of plain ssh was written; S3 has no endpoint here.
    assert not_made == {"client.config", "vpc.s3"}
    assert "SSH-2.0-" in found["login.session"].detail

    def over() -> bool:
        return clinic.plane.call(
            lambda plane: all(one.status.value in ("Terminated", "Failed") for one in plane.store.sessions.values())
        )

    wait_until(over, what="the end of every session")


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_with_its_fix(clinic: Clinic, monkeypatch: Patch, name: str) -> None:
    fault = FAULTS[name]
    with fault.plant(clinic, monkeypatch):
        found = examined(*fault.checks)
    named = wrong(found)
    assert set(named) == set(fault.checks), found
    first = named[fault.checks[0]]
    assert fault.says in first.detail, first
    assert fault.fix in first.fix, first
    assert all(one.fix and "\n" not in one.detail + one.fix for one in named.values()), named


def test_a_fault_hides_what_depends_on_it(clinic: Clinic, monkeypatch: Patch) -> None:
    with tier_off(clinic, monkeypatch):
        found = examined()
    assert set(wrong(found)) == {"account.tier"}
    assert found["login.key"].detail == "because of: advanced-instances tier"


def test_a_first_login_is_not_made(clinic: Clinic, monkeypatch: Patch) -> None:
    with clinic.node(SSHKeyFingerprints=""):
        found = examined()
    assert wrong(found) == {}
    assert "Run Command" in found["login.key"].detail


def test_who_may_not_ask_what_policies_say_is_judged_by_trials(clinic: Clinic, monkeypatch: Patch) -> None:
    plant = key_of_another(deny=["iam:*", "ec2:*", "sagemaker:*", "ssm:GetServiceSetting"])
    with plant(clinic, monkeypatch):
        found = examined()
    assert wrong(found) == {}
    done = {name for name, one in found.items() if one.status is Status.OK}
    assert {"caller.find", "caller.start", "caller.send", "caller.end", "login.session", "login.key"} <= done
    assert found["account.tier"].status is Status.UNCHECKED
    assert found["vpc.subnet"].status is Status.UNCHECKED


def test_a_refused_trial_proves_nothing(clinic: Clinic, monkeypatch: Patch) -> None:
    with key_of_another(deny=["iam:SimulatePrincipalPolicy", "ssm:SendCommand"])(clinic, monkeypatch):
        found = examined("caller.send")
    assert wrong(found) == {}
    assert found["caller.send"].status is Status.UNCHECKED


def test_the_command(clinic: Clinic, monkeypatch: Patch) -> None:
    laptop = Laptop(clinic.home)
    done = laptop.run("doctor", HOST, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(line.startswith("OK\ta session to its sshd: ") for line in done.stdout.splitlines())
    with node(SSHOwner="AROAOTHER:jane")(clinic, monkeypatch):
        done = laptop.run("doctor", HOST, "--output", "json", timeout=180)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (told,) = [one for one in json.loads(done.stdout) if one["status"] == "not OK"]
    assert told["check"] == "node.owner"
    assert "SSH_OWNER_TAG=" in told["fix"]


def test_policies_are_printed_for_the_account(clinic: Clinic) -> None:
    done = Laptop(clinic.home).run("doctor", "--policies", "--ssm-role", "ssh/NodeRole")
    printed = json.loads(done.stdout)
    passed = printed["execution role of the job"]["Statement"][2]
    assert passed["Resource"] == clinic.ids["node role"]
    assert "arn:aws:ssm:us-east-1:123456789012:managed-instance/mi-*" in done.stdout


def test_without_a_name_only_this_side_is_checked(clinic: Clinic) -> None:
    done = Laptop(clinic.home).run("doctor")
    assert done.returncode == 0, done.stdout
    assert "its job, roles" in done.stderr
    assert "node" not in done.stdout.split("you may")[0]
