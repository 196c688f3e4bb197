"""Groups and streams by kind of name."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.fleet import log_places
from sm_ssh_entry.errors import BadInput


def at(name: str, **options: str) -> log_places.LogPlace:
    return log_places.places(names.parse(f"{name}.sagemaker"), **options)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "group", "stream", "label"),
    [
        ("j.training", "TrainingJobs", "j/algo-1-1700000000", "algo-1"),
        ("algo-2.j.training", "TrainingJobs", "j/algo-2-1700000000", "algo-2"),
        ("j.processing", "ProcessingJobs", "j/algo-1-1700000000", "algo-1"),
        ("j.transform", "TransformJobs", "j/i-0123456789abcdef0-1700000000", "i-0123456789abcdef0"),
        ("e.inference", "Endpoints/e", "blue/i-0123456789abcdef0", "blue/i-0123456789abcdef0"),
        ("blue.e.inference", "Endpoints/e", "blue/i-0123456789abcdef0", "i-0123456789abcdef0"),
        ("n.notebook", "NotebookInstances", "n/jupyter.log", "jupyter.log"),
        ("default.s.d-1.studio", "studio", "d-1/s/JupyterLab/default", "JupyterLab/default"),
        (
            "default.s.d-1.studio",
            "studio",
            "d-1/s/JupyterLab/default/LifecycleConfigOnStart",
            "JupyterLab/default/LifecycleConfigOnStart",
        ),
        (
            "i-0123456789abcdef0.c.hyperpod",
            "Clusters/c/",
            "LifecycleConfig/g/i-0123456789abcdef0",
            "g/i-0123456789abcdef0",
        ),
    ],
)
def test_a_stream_of_its_own(name: str, group: str, stream: str, label: str) -> None:
    place = at(name)
    assert place.group == f"/aws/sagemaker/{group}"
    assert place.holds(stream)
    assert place.label(stream) == label
    assert not place.holds(f"{stream}/ssm")


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("j.training", "j2/algo-1-1700000000"),
        ("algo-1.j.training", "j/algo-10-1700000000"),
        ("default.s.d-1.studio", "d-1/s/JupyterLab/other"),
        ("default.s.d-1.studio", "d-1/s2/JupyterLab/default"),
        ("blue.e.inference", "bluer/i-0123456789abcdef0"),
    ],
)
def test_a_stream_of_another(name: str, stream: str) -> None:
    assert not at(name).holds(stream)


def test_the_log_of_the_native_agent_is_apart() -> None:
    place = log_places.places(names.parse("j.training.sagemaker"), agent=True)[0]
    assert place.holds("j/algo-1-1700000000/ssm")
    assert not place.holds("j/algo-1-1700000000")


def test_a_component_has_a_group_of_its_own() -> None:
    _, second = log_places.places(names.parse("component.e.inference.sagemaker"))
    assert second.group == "/aws/sagemaker/InferenceComponents/component"


@pytest.mark.parametrize("name", ["default.studio", "2.e.inference"])
def test_names_that_do_not_say_enough(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        at(name)
    assert refused.value.hint
