"""What a container of each kind finds, read back as a container reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.boot import context
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane import kinds
from sm_ssh_entry.plane.jobs import Job, checked

ARNS = {
    "training": "arn:aws:sagemaker:us-east-1:123456789012:training-job/x",
    "processing": "arn:aws:sagemaker:us-east-1:123456789012:processing-job/x",
    "transform": "arn:aws:sagemaker:us-east-1:123456789012:transform-job/x",
    "inference": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/x",
    "studio": "arn:aws:sagemaker:us-east-1:123456789012:app/d-local/x/JupyterLab/default",
    "notebook": "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/x",
}
NAMES = dict.fromkeys(ARNS, "x") | {"inference": "", "studio": "default.x.d-local"}


def job(kind: str, **fields: object) -> Job:
    return Job(**{"name": "x", "argv": ("true",), "folder": Path("/"), "kind": kind, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(ARNS))
def test_a_container_knows_what_it_is(kind: str, tmp_path: Path) -> None:
    one, arn = job(kind), ARNS[kind]
    ml = tmp_path / "opt" / "ml"
    kinds.lay_out(one, "algo-1", ml, arn=arn, interface="lo", image=kinds.Image())
    found = context.read(kinds.variables(one, arn), Paths(str(tmp_path)))
    assert (found.kind, found.name, found.problems) == (kind, NAMES[kind], ())
    assert found.arn == ("" if kind == "inference" else arn)
    assert found.host == ("algo-1" if kind in kinds.JOBS else "")


@pytest.mark.parametrize("kind", list(ARNS))
def test_it_is_reached_by_the_name_that_it_registers(kind: str) -> None:
    assert kinds.host_name(job(kind), ARNS[kind]) == f"{NAMES[kind] or 'x'}.{kind}.sagemaker"


@pytest.mark.parametrize(
    ("kind", "group", "stream"),
    [
        ("training", "/aws/sagemaker/TrainingJobs", "x/algo-2-1700000000"),
        ("processing", "/aws/sagemaker/ProcessingJobs", "x/algo-2-1700000000"),
        ("transform", "/aws/sagemaker/TransformJobs", "x/i-0-1700000000"),
        ("inference", "/aws/sagemaker/Endpoints/x", "AllTraffic/i-0"),
        ("studio", "/aws/sagemaker/studio", "d-local/x/JupyterLab/default"),
        ("notebook", "/aws/sagemaker/NotebookInstances", "x/jupyter.log"),
    ],
)
def test_its_log_is_where_sagemaker_puts_it(kind: str, group: str, stream: str) -> None:
    found = kinds.log_stream(job(kind), "algo-2", arn=ARNS[kind], instance="i-0", began=1_700_000_000)
    assert found == (group, stream)


def test_what_sagemakers_own_way_calls_it() -> None:
    found = {kind: kinds.target(job(kind), "algo-1", arn=ARNS[kind], instance="i-0") for kind in ARNS}
    assert found["training"] == "sagemaker-training-job:x_algo-1"
    assert found["inference"] == "sagemaker-endpoint:x_AllTraffic_i-0"
    assert found["studio"] == "arn:aws:sagemaker:us-east-1:123456789012:space/d-local/x"


def test_an_endpoint_is_given_an_id_and_keeps_its_own() -> None:
    first, second = (kinds.with_session(job("inference")).environment["SSH_SESSION_ID"] for _ in range(2))
    assert first != second
    own = job("inference", environment={"SSH_SESSION_ID": "mine"})
    assert kinds.with_session(own).environment == {"SSH_SESSION_ID": "mine"}
    assert kinds.with_session(job("training")).environment == {}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("studio", {"nodes": 2}),
        ("notebook", {"nodes": 2}),
        ("processing", {"hyperparameters": {"a": "1"}}),
        ("processing", {"native": True}),
        ("notebook", {"native": True}),
    ],
)
def test_what_a_kind_has_not(kind: str, fields: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        checked(job(kind, **fields))
