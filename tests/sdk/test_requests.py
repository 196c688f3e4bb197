"""Plain requests: what is promised changes, nothing else does, and the request that was given stays as it was."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sm_ssh_entry.contract import ENTRY_PREFIX
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import enable_ssh, enabled
from sm_ssh_entry.sdk.members import snake

PREFIX = list(ENTRY_PREFIX)
ROLE = "arn:aws:iam::111122223333:role/service-role/Runner"
QUIET: dict[str, Any] = {"owner": "AROA:me", "public_key": ""}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
# Members that no operation has, so that they say nothing about the operation.
OTHERS = st.dictionaries(st.from_regex(r"Zz[A-Za-z]{1,8}", fullmatch=True), JSON, max_size=3)
VARIABLES = st.dictionaries(st.from_regex(r"[A-Z]{1,4}[0-9]", fullmatch=True), st.text(max_size=20), max_size=4)
WORDS = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4)


@st.composite
def maybe(draw: st.DrawFn, holder: dict[str, Any], member: str, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    return {**holder, member: draw(values)} if draw(st.booleans()) else holder


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """One of the operations, with and without variables and entrypoint, among members that we know nothing of."""
    kind = draw(st.sampled_from(["training", "tuning", "processing", "transform", "model", "models", "component"]))
    specification = draw(maybe({"TrainingImage": "i", **draw(OTHERS)}, "ContainerEntrypoint", WORDS))
    holder = draw(maybe({"RoleArn": ROLE, **draw(OTHERS)}, "Environment", VARIABLES))
    request: dict[str, Any] = {
        "training": {"TrainingJobName": "a", "AlgorithmSpecification": specification, **holder},
        "tuning": {"HyperParameterTuningJobName": "a", "TrainingJobDefinition": holder},
        "processing": {"ProcessingJobName": "a", "AppSpecification": specification, **holder},
        "transform": {"TransformJobName": "a", "ModelName": "m", "TransformInput": {}, **holder},
        "model": {"ModelName": "a", "ExecutionRoleArn": ROLE, "PrimaryContainer": holder},
        "models": {"ModelName": "a", "ExecutionRoleArn": ROLE, "Containers": [holder, {"Image": "i"}]},
        "component": {"InferenceComponentName": "a", "Specification": {"Container": holder}},
    }[kind]
    return {**request, **draw(OTHERS)}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        yield path, dict
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        yield path, len(value)
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    else:
        yield path, value


def ours_taken_out(value: Any, original: Any) -> Any:
    """Undo what is promised: our variables, a member Environment that was made for them, our words in an entrypoint."""
    if isinstance(value, list):
        return [
            ours_taken_out(one, original[number] if isinstance(original, list) and number < len(original) else None)
            for number, one in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    known = original if isinstance(original, dict) else {}
    found = {}
    for name, inner in value.items():
        undone = ours_taken_out(inner, known.get(name))
        if name == "Environment":
            undone = {key: text for key, text in inner.items() if not key.startswith(("SSH_", "START_SSH"))}
            if name not in known:
                assert undone == {}
                continue
        if name == "ContainerEntrypoint":
            assert inner[:4] == PREFIX
            undone = inner[4:]
        found[name] = undone
    return found


def snaked(value: Any) -> Any:
    """Write a request's own members as SDK v3 does; what is in Environment are no members."""
    if isinstance(value, list):
        return [snaked(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {snake(name): inner if name == "Environment" else snaked(inner) for name, inner in value.items()}


@given(requests())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_but_what_is_promised_changes(request: dict[str, Any]) -> None:
    before = copy.deepcopy(request)
    after = enable_ssh(request, **QUIET)
    assert list(leaves(request)) == list(leaves(before)), "the request that was given is not touched"
    assert list(leaves(ours_taken_out(after, before))) == list(leaves(before))
    state = enabled(after)
    assert state is not None
    assert state.variables["START_SSH"] == "true"
    assert enabled(request) is None
    assert enable_ssh(after, **QUIET) == after, "a second time nothing changes"


@given(requests())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_names_of_sdk_v3_get_the_same(request: dict[str, Any]) -> None:
    told = {**QUIET, "session_id": "abc"}
    assert enable_ssh(snaked(request), **told) == snaked(enable_ssh(request, **told))


def training(**more: Any) -> dict[str, Any]:
    return {"TrainingJobName": "a", "AlgorithmSpecification": {"TrainingImage": "i"}, "RoleArn": ROLE, **more}


def test_what_the_arguments_say() -> None:
    told = enable_ssh(
        training(),
        connection_wait_time_seconds=30,
        ssh_instance_count=4,
        ssm_iam_role="arn:aws:iam::1:role/path/Other",
        session_id="word",
        log_to_stdout=True,
        on_error="fail",
        hold_on_failure_seconds=60,
        idle_timeout_seconds=900,
        deregister_on_exit=True,
        port=2200,
        **QUIET,
    )
    assert told["Environment"] == {
        "START_SSH": "true",
        "SSH_SSM_ROLE": "path/Other",
        "SSH_OWNER_TAG": "AROA:me",
        "SSH_WAIT_TIME_SECONDS": "30",
        "SSH_INSTANCE_COUNT": "4",
        "SSH_LOG_TO_STDOUT": "true",
        "SSH_SESSION_ID": "word",
        "SSH_ON_ERROR": "fail",
        "SSH_HOLD_ON_FAILURE_SECONDS": "60",
        "SSH_IDLE_TIMEOUT_SECONDS": "900",
        "SSH_DEREGISTER_ON_EXIT": "true",
        "SSH_PORT": "2200",
    }


def test_our_container_understands_every_variable() -> None:
    from sm_ssh_entry.boot import settings as container

    told = enable_ssh(training(), hold_on_failure_seconds=60, deregister_on_exit=False, on_error="fail", **QUIET)
    read = container.read(told["Environment"])
    assert read.problems == ()
    assert (read.wait, read.role, read.owner, read.fails) == (600, "service-role/Runner", "AROA:me", True)


def test_what_is_there_already_stays_and_what_contradicts_is_refused() -> None:
    mine = training(Environment={"SSH_WAIT_TIME_SECONDS": "5", "SSH_OWNER_TAG": "x"})
    told = enable_ssh(mine, public_key="")  # nobody is asked for an owner who is known
    assert (told["Environment"]["SSH_WAIT_TIME_SECONDS"], told["Environment"]["SSH_OWNER_TAG"]) == ("5", "x")
    with pytest.raises(BadInput, match="SSH_WAIT_TIME_SECONDS is set already"):
        enable_ssh(mine, connection_wait_time_seconds=6, public_key="")
    with pytest.raises(BadInput, match="START_SSH is set already"):
        enable_ssh(training(Environment={"START_SSH": "false"}), **QUIET)


def test_an_entrypoint_can_be_left_alone() -> None:
    mine = training(AlgorithmSpecification={"TrainingImage": "i", "ContainerEntrypoint": ["a"]})
    told = enable_ssh(mine, prefix_entrypoint=False, **QUIET)
    assert told["AlgorithmSpecification"] == mine["AlgorithmSpecification"]


LONG = "x" * 257


@pytest.mark.parametrize(
    ("request_", "more", "message"),
    [
        (
            training(Environment={f"V{n}": "" for n in range(95)}),
            {},
            "100 variables, and there would be 101, 6 of",
        ),
        (training(EnableNetworkIsolation=True), {}, "network isolation"),
        (training(ServerlessJobConfig={}), {}, "serverless"),
        (training(AlgorithmSpecification={"ContainerEntrypoint": [LONG]}), {}, "256 characters in a word"),
        (training(AlgorithmSpecification={"ContainerEntrypoint": ["a"] * 99}), {}, "100 words of an entrypoint"),
        (training(), {"connection_wait_time_seconds": -1}, "connection_wait_time_seconds is not a whole number"),
        (training(), {"ssh_instance_count": True}, "ssh_instance_count is not"),
        (training(), {"port": 70000}, "port is not"),
        (training(), {"on_error": "never"}, "on_error"),
        (training(), {"session_id": "a,b"}, "session_id cannot be the value of a tag"),
        (training(), {"ssm_iam_role": "no role"}, "ssm_iam_role"),
        (training(), {"steps": ["a"]}, "steps is for pipelines only"),
        ({"TransformInput": {}, "Environment": {f"V{n}": "" for n in range(12)}}, {}, "takes 16 variables"),
        ({"TrainingJobDefinition": {"Environment": {f"V{n}": "" for n in range(44)}}}, {}, "takes 48 variables"),
        (
            {"AppSpecification": {}, "NetworkConfig": {"EnableNetworkIsolation": True}},
            {},
            "CreateProcessingJob: network isolation",
        ),
        ({"PrimaryContainer": {}, "EnableNetworkIsolation": True}, {}, "network isolation"),
        ({"Containers": [{"Environment": {"A": "x" * 33000}}]}, {}, "32768 bytes in all containers together"),
        ({"InferenceComponentName": "a", "Specification": {"ModelName": "m"}}, {}, "no container of its own"),
        ({"EndpointConfigName": "a", "ProductionVariants": [{}]}, {}, "an endpoint's configuration cannot have SSH"),
        ({"Any": 1}, {}, "this request cannot have SSH"),
        ("no definition", {}, "no JSON"),
        ("[]", {}, "no Steps"),
        (7, {}, "int: that cannot have SSH"),
        (None, {}, "NoneType: that cannot have SSH"),
    ],
)
def test_what_cannot_be_is_refused(request_: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        enable_ssh(request_, **{**QUIET, **more})


RSA = "ssh-rsa " + "AAAAB3NzaC1yc2EAAAADAQABAAABAQ" + "A" * 522


@pytest.mark.parametrize(
    ("request_", "limit"),
    [(training(), 512), ({"AppSpecification": {}}, 256), ({"TrainingJobDefinition": {"RoleArn": ROLE}}, 512)],
)
def test_a_key_that_is_too_long_is_named_with_its_limit(request_: dict[str, Any], limit: int) -> None:
    with pytest.raises(
        BadInput, match=f"SSH_AUTHORIZED_KEYS would have {len(RSA)} characters.* takes {limit}"
    ) as raised:
        enable_ssh(request_, owner="", public_key=RSA)
    assert 'public_key=""' in raised.value.hint
    enable_ssh({"TransformInput": {}}, owner="", public_key=RSA)


def step(name: str, kind: str, **arguments: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "Arguments": arguments}


def definition() -> dict[str, Any]:
    inner = step("process", "Processing", AppSpecification={"ContainerEntrypoint": ["a"]})
    return {
        "Version": "2020-12-01",
        "Steps": [
            step("train", "Training", AlgorithmSpecification={}, RoleArn={"Get": "Parameters.Role"}),
            step("check", "Condition", Conditions=[], IfSteps=[inner], ElseSteps=[step("stop", "Fail")]),
            step("model", "Model", PrimaryContainer={"Environment": {"A": {"Get": "Parameters.A"}}}),
        ],
    }


def test_all_steps_of_a_pipeline_that_can_have_it() -> None:
    told = enable_ssh(definition(), session_id="word", **QUIET)
    train, check, model = told["Steps"]
    inner = check["Arguments"]["IfSteps"][0]["Arguments"]
    assert train["Arguments"]["Environment"]["SSH_WAIT_TIME_SECONDS"] == "600"
    assert "SSH_SSM_ROLE" not in train["Arguments"]["Environment"], "a parameter's value is not known"
    assert inner["AppSpecification"]["ContainerEntrypoint"] == [*PREFIX, "a"]
    variables = model["Arguments"]["PrimaryContainer"]["Environment"]
    assert (variables["SSH_WAIT_TIME_SECONDS"], variables["A"]) == ("0", {"Get": "Parameters.A"})
    assert check["Arguments"]["ElseSteps"] == definition()["Steps"][1]["Arguments"]["ElseSteps"]
    assert json.loads(enable_ssh(json.dumps(definition()), session_id="word", **QUIET)) == told
    request = {"PipelineName": "p", "PipelineDefinition": json.dumps(definition())}
    changed = enable_ssh(request, session_id="word", **QUIET)
    assert (json.loads(changed["PipelineDefinition"]), changed["PipelineName"]) == (told, "p")


def test_some_steps_of_a_pipeline() -> None:
    told = enable_ssh(definition(), steps=["process"], **QUIET)
    assert (told["Steps"][0], told["Steps"][2]) == (definition()["Steps"][0], definition()["Steps"][2])
    assert told["Steps"][1] != definition()["Steps"][1]
    with pytest.raises(BadInput, match="has no step other"):
        enable_ssh(definition(), steps=["other"], **QUIET)
    with pytest.raises(BadInput, match="type Fail cannot have SSH"):
        enable_ssh(definition(), steps=["stop"], **QUIET)
    with pytest.raises(BadInput, match="no step that can have SSH"):
        enable_ssh({"Steps": [step("stop", "Fail")]}, **QUIET)
