from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.boot import deregister, status
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import AccessDenied, SmSshError
from tests.boot.fake_ssm import FakeSsm

NODE = "mi-0123456789abcdef0"


@pytest.fixture
def paths(tmp_path: Path, ssm: FakeSsm, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ssm.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    made = Paths(str(tmp_path))
    status.prepare(made)
    return made


def test_takes_the_node_out_once(paths: Paths, ssm: FakeSsm) -> None:
    status.update(paths, node_id=NODE, region="eu-west-1")
    assert deregister.run(paths) == NODE
    assert deregister.run(paths) == ""
    assert ssm.asked("DeregisterManagedInstance") == [{"InstanceId": NODE}]


@pytest.mark.parametrize("node", [None, "i-0123", "mi-1; rm"])
def test_no_node_nothing_to_do(paths: Paths, ssm: FakeSsm, node: str | None) -> None:
    status.update(paths, node_id=node)
    assert deregister.run(paths) == ""
    assert ssm.calls == []


def test_refusals_say_what_to_do(paths: Paths, ssm: FakeSsm) -> None:
    status.update(paths, node_id=NODE, region="eu-west-1")
    ssm.failures["DeregisterManagedInstance"] = [(400, "AccessDeniedException", "no"), (400, "Odd", "?")]
    with pytest.raises(AccessDenied) as denied:
        deregister.run(paths)
    assert "ssm:DeregisterManagedInstance" in denied.value.hint
    with pytest.raises(SmSshError) as other:
        deregister.run(paths)
    assert NODE in other.value.hint


def test_the_first_try_worked_and_only_its_answer_was_lost(paths: Paths, ssm: FakeSsm) -> None:
    status.update(paths, node_id=NODE, region="eu-west-1")
    ssm.failures["DeregisterManagedInstance"] = [(500, "InternalServerError", "?"), (400, "InvalidInstanceId", "gone")]
    assert deregister.run(paths) == NODE
    assert "node_id" not in status.read(paths)
