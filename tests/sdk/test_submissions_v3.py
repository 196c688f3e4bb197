"""SageMaker SDK v3: what the service receives with SSH, beside the same submission without."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sdk.submissions import told
from tests.sdk.submissions.told import PREFIX, changes, check, entrypoints, expected, variables

Told = dict[str, Any]


@pytest.fixture(scope="module")
def v3(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told.run("v3", tmp_path_factory.mktemp("v3"))


def test_a_trainer_without_source_code_keeps_the_entrypoint_of_its_image(v3: Told) -> None:
    ((operation, changed),) = changes(v3["train"])
    assert operation == "CreateTrainingJob"
    check(variables(changed, "Environment"), expected(600))
    assert entrypoints(changed) == []
    assert v3["train"]["ours"][0][1]["Environment"]["MINE"] == "1"


@pytest.mark.parametrize("name", ["train_source_code", "copied"])
def test_a_trainer_with_source_code_is_prefixed_in_each_request(v3: Told, name: str) -> None:
    for _, changed in changes(v3[name]):
        check(variables(changed, "Environment"), expected(600))
        assert entrypoints(changed) == [(["/bin/bash"], [*PREFIX, "/bin/bash"])]
    if name == "copied":  # and what a copy submits is its own
        assert v3[name]["ours"][0][1]["TrainingJobName"].startswith("other-")


def test_a_request_that_a_trainer_makes_for_others_is_prefixed_too(v3: Told) -> None:
    before, after = v3["train_request_of_boto3"]["said"]
    assert (before, after) == (["/bin/bash"], [*PREFIX, "/bin/bash"])


def test_tuning_has_our_variables_and_no_entrypoint(v3: Told) -> None:
    ((_, changed),) = changes(v3["tune"])
    check(variables(changed, "TrainingJobDefinition", "Environment"), expected(600))
    assert entrypoints(changed) == []


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("process_own_entrypoint", "python3"),
        ("process_script", "python3"),
        ("process_framework", "/bin/bash"),
        ("process_spark", "smspark-submit"),
    ],
)
def test_a_processor_is_prefixed_once_in_each_run(v3: Told, name: str, first: str) -> None:
    assert len(v3[name]["ours"]) == 2
    told.check_runs(v3[name], first)


def test_a_bare_processor_keeps_the_entrypoint_of_its_image(v3: Told) -> None:
    ((_, changed),) = changes(v3["process_bare"])
    check(variables(changed, "Environment"), expected(600))
    assert entrypoints(changed) == []


def test_a_builder_sends_our_variables_when_it_builds(v3: Told) -> None:
    (model, changed), *others = changes(v3["serve"])
    assert model == "CreateModel"
    check(variables(changed, changed[0].path[0], "Environment"), expected(0))
    assert [changed for _, changed in others] == [[], []]
    assert v3["serve"]["enabled"]["names"] == ["endpoint-1"]


def test_builders_of_a_list_have_ids_and_ports_of_their_own(v3: Told) -> None:
    before, after = v3["serve_several"]["said"]
    assert before == [{}, {}]
    for number, found in enumerate(after):
        check(found, expected(0, SSH_PORT=str(2222 + number)), rf"[0-9a-f]{{16}}-{number}")


def test_a_transformer_sends_our_variables(v3: Told) -> None:
    ((_, changed),) = changes(v3["transform"])
    check(variables(changed, "Environment"), expected(600, role=""))


@pytest.mark.parametrize(
    ("name", "place", "wait", "own"),
    [
        ("resource_training", ("Environment",), 600, [(["python3", "/a.py"], [*PREFIX, "python3", "/a.py"])]),
        ("resource_processing", ("Environment",), 600, [(["bash"], [*PREFIX, "bash"])]),
        ("resource_model", ("PrimaryContainer", "Environment"), 0, []),
    ],
)
def test_requests_of_resources(v3: Told, name: str, place: tuple[str, ...], wait: int, own: list[Any]) -> None:
    ((_, changed),) = changes(v3[name])
    check(variables(changed, *place), expected(wait))
    assert entrypoints(changed) == own


def test_the_request_that_was_given_is_not_touched(v3: Told) -> None:
    assert v3["resource_training"]["said"] == [["python3", "/a.py"], ["python3", "/a.py"]]


def test_the_owner_of_a_request_is_asked_for_with_its_session(v3: Told) -> None:
    assert "sts:GetCallerIdentity" in v3["resource_model"]["asked"]


@pytest.mark.parametrize("name", ["pipeline_objects", "pipeline_whole"])
def test_pipelines_by_objects_and_as_a_whole(v3: Told, name: str) -> None:
    case = v3[name]
    if name == "pipeline_whole":
        before, after = (json.loads(case[which][0][1]["PipelineDefinition"]) for which in ("bare", "ours"))
    else:
        before, after = map(json.loads, case["said"])
    told.check_steps(before, after)


def test_a_remote_function_is_prefixed_and_its_neighbour_is_not(v3: Told) -> None:
    first, second = changes(v3["remote"])
    check(variables(first[1], "Environment"), expected(600))
    ((before, after),) = entrypoints(first[1])
    assert after == [*PREFIX, *before]
    assert second[1] == []
    assert len(v3["remote"]["enabled"]["names"]) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_late", "submitted already (job-"),
        ("too_late_for_a_builder", "build() has made model-1"),
        ("isolated_trainer", "network isolation"),
        ("isolated_processor", "network isolation"),
        ("a_resource_class", "TrainingJob is a class"),
        ("a_resource", "this TrainingJob exists already"),
    ],
)
def test_what_cannot_be_is_refused(v3: Told, name: str, message: str) -> None:
    said = v3[name]["said"][1]
    assert said["raised"] == "BadInput"
    assert message in said["message"]
    assert said["hint"]
