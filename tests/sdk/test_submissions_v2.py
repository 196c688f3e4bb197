"""SageMaker SDK v2: what the service receives with SSH, beside the same submission without."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sdk.submissions import told
from tests.sdk.submissions.told import NOWHERE, PREFIX, Change, changes, check, entrypoints, expected, variables

Told = dict[str, Any]


@pytest.fixture(scope="module")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told.run("v2", tmp_path_factory.mktemp("v2"))


@pytest.mark.parametrize("name", ["train", "train_framework", "train_own_entrypoint"])
def test_an_estimator_sends_our_variables_and_nothing_else(v2: Told, name: str) -> None:
    for operation, changed in changes(v2[name]):
        assert operation == "CreateTrainingJob"
        check(variables(changed, "Environment"), expected(600))
        own = [(["python3", "/a.py"], [*PREFIX, "python3", "/a.py"])] if name == "train_own_entrypoint" else []
        assert entrypoints(changed) == own


def test_a_shared_dict_of_variables_is_not_touched(v2: Told) -> None:
    assert v2["train_own_entrypoint"]["said"] == [{"MINE": "1"}, {"MINE": "1"}]
    assert all(request["Environment"]["MINE"] == "1" for _, request in v2["train_own_entrypoint"]["ours"])


def test_the_names_are_known_after_submission(v2: Told) -> None:
    for name, names in (
        ("train_own_entrypoint", ["job-1", "job-2"]),
        ("process_own_entrypoint", ["job-1", "job-2", "job-3"]),
        ("tune", ["tune-1"]),
        ("serve", ["endpoint-1"]),
        ("serve_several_models", ["endpoint-1"]),
        ("transform", ["job-1"]),
        ("pipeline_objects", []),
    ):
        assert v2[name]["enabled"]["names"] == names, name
    state = v2["train"]["enabled"]
    assert (state["kind"], state["instance_count"]) == ("training", 2)
    assert state["variables"] == v2["train"]["ours"][0][1]["Environment"]
    assert state["session_id"] == state["variables"]["SSH_SESSION_ID"]


def test_only_the_owner_is_asked_for(v2: Told) -> None:
    assert set(v2["train"]["asked"]) == {"sts:GetCallerIdentity", "sagemaker:CreateTrainingJob"}


def test_tuning_has_our_variables_and_no_entrypoint(v2: Told) -> None:
    ((_, changed),) = changes(v2["tune"])
    check(variables(changed, "TrainingJobDefinition", "Environment"), expected(600))
    ((_, changed),) = changes(v2["tune_several"])
    for number in (0, 1):
        mine = [change for change in changed if change.path[:2] == ("TrainingJobDefinitions", number)]
        check(variables(mine, "TrainingJobDefinitions", number, "Environment"), expected(600))
    assert {path[:1] for path, _, _ in changed} == {("TrainingJobDefinitions",)}


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("process_own_entrypoint", "python3"),
        ("process_script", "python3"),
        ("process_framework", "/bin/bash"),
        ("process_spark", "smspark-submit"),
        ("process_spark_jar", "smspark-submit"),
    ],
)
def test_a_processor_is_prefixed_once_in_each_run(v2: Told, name: str, first: str) -> None:
    told.check_runs(v2[name], first)
    if name == "process_own_entrypoint":  # the third run has another one
        assert entrypoints(changes(v2[name])[2][1]) == [(["bash"], [*PREFIX, "bash"])]


def test_a_bare_processor_keeps_the_entrypoint_of_its_image(v2: Told) -> None:
    ((_, changed),) = changes(v2["process_bare"])
    check(variables(changed, "Environment"), expected(600))
    assert v2["process_bare"]["said"] == [None, None]


def test_a_copy_of_a_processor_submits_what_is_its_own(v2: Told) -> None:
    ((_, changed),) = changes(v2["copied"])
    ((before, after),) = entrypoints(changed)
    assert (before[0], after) == ("bash", [*PREFIX, *before])


@pytest.mark.parametrize("name", ["serve", "serve_framework", "serve_several_models", "serve_several_models_of_image"])
def test_a_model_sends_our_variables_without_a_wait(v2: Told, name: str) -> None:
    (model, changed), *others = changes(v2[name])
    assert model == "CreateModel"
    check(variables(changed, "PrimaryContainer", "Environment"), expected(0))
    assert [changed for _, changed in others] == [[], []]


def test_containers_that_share_an_instance_have_ids_and_ports_of_their_own(v2: Told) -> None:
    (_, changed), *_ = changes(v2["serve_pipeline"])
    for number in (0, 1):
        mine = [change for change in changed if change.path[:2] == ("Containers", number)]
        found = variables(mine, "Containers", number, "Environment")
        check(found, expected(0, SSH_PORT=str(2222 + number)), rf"[0-9a-f]{{16}}-{number}")


def test_a_transformer_sends_our_variables(v2: Told) -> None:
    ((_, changed),) = changes(v2["transform"])
    check(variables(changed, "Environment"), expected(600, role=""))


@pytest.mark.parametrize("name", ["pipeline_objects", "pipeline_definition", "pipeline_whole"])
def test_pipelines_by_objects_by_definition_and_as_a_whole(v2: Told, name: str) -> None:
    case = v2[name]
    if name == "pipeline_whole":
        before, after = (json.loads(case[which][0][1]["PipelineDefinition"]) for which in ("bare", "ours"))
        assert case["said"] == [True, True], "each definition of a pipeline is the same"
    else:
        before, after = map(json.loads, case["said"])
    told.check_steps(before, after)


def test_a_model_trainer_of_v2_is_prefixed_in_each_request(v2: Told) -> None:
    for _, changed in changes(v2["trainer"]):
        check(variables(changed, "Environment"), expected(600))
        assert entrypoints(changed) == [(["/bin/bash"], [*PREFIX, "/bin/bash"])]


def test_a_remote_function_is_prefixed_and_its_neighbour_is_not(v2: Told) -> None:
    first, second, third = changes(v2["remote"])
    for _, changed in (first, third):
        check(variables(changed, "Environment"), expected(600))
        ((before, after),) = entrypoints(changed)
        assert after == [*PREFIX, *before]
    assert second[1] == []
    assert len(v2["remote"]["enabled"]["names"]) == 2


def test_the_executor_of_remote_functions(v2: Told) -> None:
    ((_, changed),) = changes(v2["remote_executor"])
    check(variables(changed, "Environment"), expected(600))
    ((before, after),) = entrypoints(changed)
    assert after == [*PREFIX, *before]


def test_objects_that_are_in_steps_already(v2: Told) -> None:
    before, after = v2["objects_of_steps"]["said"]
    assert before is None
    check(after, expected(600))


def test_a_model_package_is_not_looked_up(v2: Told) -> None:
    check(v2["model_package"]["said"][1], expected(0))
    assert v2["model_package"]["asked"] == ["sts:GetCallerIdentity"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_late", "submitted already (job-1)"),
        ("twice_differently", "SSH_WAIT_TIME_SECONDS is set already"),
        ("isolated_estimator", "network isolation"),
        ("isolated_processor", "network isolation"),
        ("isolated_model", "network isolation"),
        ("built_in_algorithm", "KMeans: it runs an image of the algorithm's"),
        ("a_class", "Estimator is a class"),
        ("a_session", "Session: that cannot have SSH"),
        ("too_many_words", "takes 100 words of an entrypoint; with ours it has 104"),
        ("too_many_variables", "takes 16 variables, and there would be 18, 6 of them ours"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_submitted(v2: Told, name: str, message: str) -> None:
    said = v2[name]["said"][1]
    assert said["raised"] == "BadInput"
    assert message in said["message"]
    assert said["hint"]
    if name == "too_many_words":
        assert v2[name]["ours"] == []
    elif v2[name]["ours"]:
        assert changes(v2[name])[0][1] == [], "what is refused stays as it was"


def test_a_second_call_changes_nothing(v2: Told) -> None:
    assert v2["twice"]["said"][1] is True
    ((_, changed),) = changes(v2["twice"])
    check(variables(changed, "Environment"), expected(600))


def test_the_comparison_sees_a_change() -> None:
    assert list(told.differences({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}], "c": 1})) == [
        Change(("a", 1, "b"), "x", "y"),
        Change(("c",), NOWHERE, 1),
    ]
    assert not list(told.differences({"a": "job-20261121172412"}, {"a": "job-20261121172413"}))
