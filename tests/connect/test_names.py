"""Host names, taken apart and put together."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import BadInput

NODE = "mi-0123456789abcdef0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my-job.training.sagemaker", Target("training", "my-job")),
        ("My-Job-7.Training.SageMaker", Target("training", "My-Job-7")),
        ("algo-2.my-job.training.sagemaker", Target("training", "my-job", "algo-2")),
        ("ALGO-2.my-job.processing.sagemaker", Target("processing", "my-job", "algo-2")),
        ("algo-1.training.sagemaker", Target("training", "algo-1")),
        ("end-point.inference.sagemaker", Target("inference", "end-point")),
        ("Blue-2.end-point.inference.sagemaker", Target("inference", "end-point", "Blue-2")),
        ("2.end-point.inference.sagemaker", Target("inference", "end-point", "2")),
        ("algo-1.end-point.inference.sagemaker", Target("inference", "end-point", "algo-1")),
        ("algo-3.batch.transform.sagemaker", Target("transform", "batch", "algo-3")),
        ("desk.notebook.sagemaker", Target("notebook", "desk")),
        ("i-0123456789abcdef0.pod.hyperpod.sagemaker", Target("hyperpod", "pod", "i-0123456789abcdef0")),
        ("workers-2.pod.hyperpod.sagemaker", Target("hyperpod", "pod", "workers-2")),
        ("pod.hyperpod.sagemaker", Target("hyperpod", "pod")),
        ("app.studio.sagemaker", Target("studio", "app")),
        ("space.d-abc.studio.sagemaker", Target("studio", "space.d-abc")),
        ("app.space.d-abc.studio.sagemaker", Target("studio", "app.space.d-abc")),
        (NODE, Target(node_id=NODE)),
        (NODE.upper().replace("MI-", "mi-"), Target(node_id=NODE)),
        (f"ec2-user@{NODE}", Target(node_id=NODE, user="ec2-user")),
        ("root@j.training.sagemaker", Target("training", "j", user="root")),
        ("j.training.sagemaker@eu-west-1", Target("training", "j", region="eu-west-1")),
        ("me@j.training.sagemaker@us-gov-west-1", Target("training", "j", user="me", region="us-gov-west-1")),
        (f"{NODE}@cn-north-1", Target(node_id=NODE, region="cn-north-1")),
        (" j.training.sagemaker\n", Target("training", "j")),
    ],
)
def test_understood(text: str, expected: Target) -> None:
    assert names.parse(text) == expected
    assert names.parse(expected.host).host == expected.host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my-job",
        "my-job.training",
        "training.sagemaker",
        ".training.sagemaker",
        "my_job.training.sagemaker",
        "-job.training.sagemaker",
        "job-.training.sagemaker",
        "job..training.sagemaker",
        "j" * 64 + ".training.sagemaker",
        "a.b.training.sagemaker",
        "algo-0.b.training.sagemaker",
        "a.b.c.d.studio.sagemaker",
        "blue.a.b.inference.sagemaker",
        "a.b.notebook.sagemaker",
        "workers-1.a.b.hyperpod.sagemaker",
        "algo-1.algo-1.b.training.sagemaker",
        "j.cooking.sagemaker",
        "mi-123",
        "mi-0123456789abcdefg",
        "@j.training.sagemaker",
        "a b@j.training.sagemaker",
        "-oProxyCommand=x@j.training.sagemaker",
        "-oProxyCommand=x.training.sagemaker",
        "j.training.sagemaker@nowhere",
        "j.training.sagemaker\nHost *",
        "$(id).training.sagemaker",
        "größe.training.sagemaker",
    ],
)
def test_refused_with_a_hint(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        names.parse(text)
    assert refused.value.hint
    assert "\n" not in refused.value.message


def test_a_bare_job_name_is_completed_in_the_hint() -> None:
    with pytest.raises(BadInput) as refused:
        names.parse("my-job")
    assert refused.value.hint == "did you mean my-job.training.sagemaker?"


def test_the_alias_is_in_lower_case_and_the_name_is_not() -> None:
    target = names.parse("algo-1.My-Job.training.sagemaker")
    assert target.host == "algo-1.My-Job.training.sagemaker"
    assert target.alias == "algo-1.my-job.training.sagemaker"


@pytest.mark.parametrize("text", ["training", "training.sagemaker", "*.training.sagemaker", "TRAINING"])
def test_kinds(text: str) -> None:
    assert names.parse_kind(text) == "training"


def test_unknown_kind() -> None:
    with pytest.raises(BadInput, match="cooking"):
        names.parse_kind("cooking.sagemaker")


def test_nodes_are_ordered_by_their_number() -> None:
    assert sorted(["algo-10", "algo-2", "", "algo-1"], key=names.rank) == ["algo-1", "algo-2", "algo-10", ""]


@pytest.mark.parametrize("asked", ["default", "space", "default.space", "space.d-abc", "default.space.d-abc"])
def test_a_part_of_an_apps_name_means_it(asked: str) -> None:
    assert names.fits_app(asked, "default.space.d-abc")


@pytest.mark.parametrize(
    "asked", ["d-abc", "other", "Space", "default.d-abc", "space.default", "x.default.space.d-abc", ""]
)
def test_what_is_no_part_of_an_apps_name(asked: str) -> None:
    assert not names.fits_app(asked, "default.space.d-abc")
