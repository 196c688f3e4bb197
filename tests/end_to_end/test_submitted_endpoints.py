"""Endpoints on a plane without an engine: ``serve`` runs as processes, which come, go and answer as on the service."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientTimeout
from botocore.exceptions import ClientError

from sm_ssh_entry.plane import invocations
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Settings
from tests.end_to_end import serve_program
from tests.end_to_end.deployed import INSTANCE, VARIANT, Deployer, client_of, serving_folder
from tests.end_to_end.machine import processes
from tests.waiting import wait_until

PING = (
    "The primary container for production variant AllTraffic did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plane")


@pytest.fixture(scope="module")
def plane(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlaneThread]:
    program = Path(serve_program.__file__)
    serve = serving_folder(tmp_path_factory.mktemp("programs") / "bin", program, sys.executable)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{serve}:{os.environ['PATH']}")
        with PlaneThread(settings=Settings(jobs="processes"), folder=folder) as thread:
            yield thread


@pytest.fixture(scope="module")
def deployer(plane: PlaneThread) -> Iterator[Deployer]:
    one = Deployer(plane.environment())
    yield one
    one.close()


@pytest.fixture(scope="module", autouse=True)
def endpoints(deployer: Deployer) -> None:
    """Deploy all at once: an endpoint waits most of its time."""
    data = {"ModelDataUrl": deployer.artifact("one/model.tar.gz", name="one")}
    deployer.deploy("one", {**data, "Environment": {"MINE": "1"}}, InitialInstanceCount=2)
    deployer.deploy("sick", {"Environment": {"SERVE_PING": "503"}}, ContainerStartupHealthCheckTimeoutInSeconds=60)
    deployer.deploy("slow", {"Environment": {"SERVE_START_SECONDS": "300"}})
    for name in "abc":
        deployer.artifact(f"many/{name}.tar.gz", name=name)
    many = {"Mode": "MultiModel", "ModelDataUrl": "s3://models/many"}
    deployer.deploy("many", {**many, "Environment": {"SERVE_ROOM": "1", "SERVE_LOAD_SECONDS": "0.1"}})
    for name in ("blue", "green"):
        deployer.model(name, {"Environment": {"NAME": name}})
    variants = [
        {"VariantName": name, "ModelName": name, "InitialVariantWeight": weight}
        for name, weight in (("blue", 3.0), ("green", 1.0))
    ]
    deployer.config("two", *variants)
    deployer.sagemaker.create_endpoint(EndpointName="two", EndpointConfigName="two")
    hosts = [{"ContainerHostname": name, "Environment": {"NAME": name}} for name in ("first", "second")]
    for mode in ("Serial", "Direct"):
        deployer.model(mode, *hosts, InferenceExecutionConfig={"Mode": mode})
        deployer.config(mode, {"ModelName": mode})
        deployer.sagemaker.create_endpoint(EndpointName=mode, EndpointConfigName=mode)
    deployer.in_service("one", "many", "two", "Serial", "Direct")


def name_of(answer: Mapping[str, Any]) -> str:
    return str(answer["Body"]["environment"]["NAME"])


def serving(folder: Path, endpoint: str) -> list[int]:
    """Return the processes of an endpoint, our own around them included."""
    return processes(lambda _, env: f"{folder}/jobs/{endpoint}/" in env.get("SAGEMAKER_BASE_DIR", ""))


def test_an_invocation_reaches_the_model_and_its_answer_comes_back(deployer: Deployer) -> None:
    answer = deployer.invoke(
        "one", "hello", ContentType="text/x", Accept="text/y", CustomAttributes="trace=1", SessionId="NEW_SESSION"
    )
    seen = answer["Body"]
    assert (seen["body"], seen["files"], seen["environment"]["MINE"]) == ("hello", {"name": "one"}, "1")
    assert [seen["headers"].get(name) for name in ("Content-Type", "Accept")] == ["text/x", "text/y"]
    assert seen["headers"]["X-Amzn-SageMaker-Session-Id"] == "NEW_SESSION"
    assert "Authorization" not in seen["headers"]
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", VARIANT)
    assert answer["CustomAttributes"] == "trace=1"
    assert "START_SSH" not in seen["environment"]
    # The keys of the model's role, not those of whoever runs the plane.
    assert seen["environment"]["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_two_instances_share_the_load_and_each_has_a_log(deployer: Deployer) -> None:
    answered = {deployer.invoke("one")["Body"]["pid"] for _ in range(40)}
    assert len(answered) == 2
    streams = wait_until(lambda: _logged(deployer, "one"), 15, every=0.2, what="both have logged")
    assert set(streams.values()) == {"serving"}
    assert all(INSTANCE.fullmatch(name.removeprefix(f"{VARIANT}/")) for name in streams)


def _logged(deployer: Deployer, name: str) -> dict[str, str]:
    found = deployer.streams(name)
    return found if len(found) == 2 and all(found.values()) else {}


def test_the_body_comes_in_parts_where_it_is_streamed(deployer: Deployer) -> None:
    answer = deployer.runtime.invoke_endpoint_with_response_stream(
        EndpointName="one", Body=b"s" * 100_000, Accept="a/b"
    )
    with closing(answer["Body"]) as stream:
        whole = b"".join(part["PayloadPart"]["Bytes"] for part in stream)
    assert b"s" * 100_000 in whole
    assert b'"Accept": "a/b"' in whole
    assert answer["InvokedProductionVariant"] == VARIANT


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("status 400", 400, 'Received client error (400) from primary with message "as you wish". See https://'),
        ("status 500", 500, 'Received server error (500) from primary with message "as you wish". See https://'),
        ("tear", 500, "Received server error (500) from primary and could not load the entire response body. See"),
    ],
)
def test_what_the_container_gets_wrong_is_a_model_error(deployer: Deployer, body: str, status: int, said: str) -> None:
    found = deployer.refused("one", body)
    assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
    assert found["OriginalStatusCode"] == status
    assert found["Error"]["Message"].startswith(said)
    assert "/aws/sagemaker/Endpoints/one" in found["LogStreamArn"]


def test_an_answer_that_does_not_come_in_time_is_a_model_error(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invocations, "_WHOLE", ClientTimeout(total=0.3))
    found = deployer.refused("one", "sleep 2")
    assert (found["Error"]["Code"], found["OriginalStatusCode"]) == ("ModelError", 0)
    timed_out = "Your invocation timed out while waiting for a response from container primary."
    assert found["Error"]["Message"].startswith(f'Received server error (0) from primary with message "{timed_out}')


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("nothing", {}, "Endpoint nothing of account 123456789012 not found."),
        ("slow", {}, "Endpoint slow of account 123456789012 not found."),
        ("one", {"TargetModel": "m"}, "Endpoint one is not a multi-model endpoint and does not support target model"),
        ("one", {"TargetVariant": "Other"}, "Variant Other of endpoint one not found."),
        ("one", {"TargetContainerHostname": "x"}, "Endpoint one does not support a target container hostname header."),
        ("Direct", {}, "Endpoint Direct needs a target container hostname header."),
        ("Direct", {"TargetContainerHostname": "third"}, "Endpoint Direct has no container third."),
        ("one", {"Body": b"x" * (6 * 1024 * 1024 + 1)}, "1 validation error detected: Value at 'body' failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_what_no_container_could_answer_is_refused(
    deployer: Deployer, name: str, more: dict[str, Any], said: str
) -> None:
    found = deployer.refused(name, body=more.pop("Body", b"{}"), **more)["Error"]
    assert found["Code"] == "ValidationError"
    assert found["Message"].startswith(said)


def test_nobody_invokes_who_may_not(plane: PlaneThread) -> None:
    restricted = plane.call(lambda one: one.credentials.issue(deny=["sagemaker:InvokeEndpoint"]))
    runtime = client_of(plane.environment(credential=restricted), "sagemaker-runtime")
    with closing(runtime), pytest.raises(ClientError, match="AccessDenied"):
        runtime.invoke_endpoint(EndpointName="one", Body=b"{}")


def test_a_queue_is_refused(deployer: Deployer) -> None:
    with pytest.raises(ClientError, match="cannot be invoked asynchronously"):
        deployer.runtime.invoke_endpoint_async(EndpointName="one", InputLocation="s3://models/one")


def test_variants_share_invocations_by_their_weights(deployer: Deployer) -> None:
    seen = Counter(deployer.invoke("two")["InvokedProductionVariant"] for _ in range(60))
    assert seen["blue"] > seen["green"] > 0
    assert {name_of(deployer.invoke("two", TargetVariant="green")) for _ in range(5)} == {"green"}
    wishes = [{"VariantName": "blue", "DesiredWeight": 0.0}, {"VariantName": "green", "DesiredInstanceCount": 2}]
    deployer.sagemaker.update_endpoint_weights_and_capacities(EndpointName="two", DesiredWeightsAndCapacities=wishes)
    deployer.reached("two", "InService")
    assert deployer.counts("two") == {"blue": 1, "green": 2}
    assert {deployer.invoke("two")["InvokedProductionVariant"] for _ in range(20)} == {"green"}
    weights = {one["VariantName"]: one["CurrentWeight"] for one in deployer.described("two")["ProductionVariants"]}
    assert weights == {"blue": 0.0, "green": 1.0}
    with pytest.raises(ClientError, match=r"are not present within endpoint configuration .two"):
        deployer.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="two", DesiredWeightsAndCapacities=[{"VariantName": "red", "DesiredWeight": 1.0}]
        )


def test_containers_in_series_pass_on_what_the_one_before_them_says(deployer: Deployer) -> None:
    second = deployer.invoke("Serial", "hello")["Body"]
    assert second["environment"]["NAME"] == "second"
    assert '"NAME": "first"' in second["body"]
    named = {name_of(deployer.invoke("Direct", TargetContainerHostname=name)) for name in ("first", "second")}
    assert named == {"first", "second"}
    assert deployer.refused("Serial", "status 418")["Error"]["Message"].startswith(
        "Received client error (418) from first"
    )


def test_many_models_share_the_room_for_one_and_no_invocation_fails(deployer: Deployer, folder: Path) -> None:
    def call(number: int) -> bool:
        name = "abc"[number % 3]
        return bool(deployer.invoke("many", TargetModel=f"{name}.tar.gz")["Body"]["files"] == {"name": name})

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(32)))
    refusal = deployer.refused("many")["Error"]
    assert (refusal["Code"], "is missing a target model header" in refusal["Message"]) == ("ValidationError", True)
    refusal = deployer.refused("many", TargetModel="d.tar.gz")["Error"]
    assert refusal["Message"].startswith("Failed to download model data(bucket: models, key: many/d.tar.gz).")
    # It comes into being later.
    deployer.artifact("many/d.tar.gz", name="d")
    assert deployer.invoke("many", TargetModel="d.tar.gz")["Body"]["files"] == {"name": "d"}
    # Another one has the room meanwhile; the container then forgets that one by itself.
    assert deployer.invoke("many", TargetModel="a.tar.gz")["Body"]["files"] == {"name": "a"}
    pid = deployer.invoke("many", "forget", TargetModel="a.tar.gz")["Body"]["pid"]
    answer = deployer.invoke("many", TargetModel="a.tar.gz")["Body"]
    assert (answer["files"], answer["pid"]) == ({"name": "a"}, pid)


def test_an_endpoint_that_answers_no_ping_fails_and_can_be_deleted(deployer: Deployer, folder: Path) -> None:
    # What nobody wants to wait for: its time is a minute.
    for pid in processes(lambda words, env: words.endswith("serve_program.py") and _is(env, folder, "sick")):
        os.kill(pid, signal.SIGTERM)
    found = deployer.reached("sick", "Failed")
    assert (found["FailureReason"], deployer.counts("sick")) == (PING, {VARIANT: 0})
    with pytest.raises(ClientError, match="Cannot update failed endpoint"):
        deployer.sagemaker.update_endpoint(EndpointName="sick", EndpointConfigName="one")
    listed = deployer.sagemaker.list_endpoints(StatusEquals="Failed")["Endpoints"]
    assert [one["EndpointName"] for one in listed] == ["sick"]
    deployer.delete("sick")
    assert serving(folder, "sick") == []


def _is(env: Mapping[str, str], folder: Path, endpoint: str) -> bool:
    return f"{folder}/jobs/{endpoint}/" in env.get("SAGEMAKER_BASE_DIR", "")


def test_an_endpoint_can_be_deleted_while_it_comes_up(deployer: Deployer, folder: Path) -> None:
    assert deployer.described("slow")["EndpointStatus"] == "Creating"
    wait_until(lambda: serving(folder, "slow"), 20, what="it has started")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        deployer.sagemaker.update_endpoint(EndpointName="slow", EndpointConfigName="one")
    deployer.delete("slow")
    assert serving(folder, "slow") == []


def test_an_instance_that_dies_is_replaced_and_the_other_answers_meanwhile(deployer: Deployer) -> None:
    with pytest.raises(ClientError, match="ModelError"):
        deployer.invoke("one", "exit")
    assert all(deployer.invoke("one")["Body"]["files"] == {"name": "one"} for _ in range(20))
    wait_until(lambda: len(deployer.streams("one")) == 3, 20, every=0.1, what="another instance has begun")
    wait_until(lambda: deployer.counts("one") == {VARIANT: 2}, 20, what="two are in service again")


def test_an_update_brings_up_the_new_before_the_old_goes_or_nothing(deployer: Deployer, folder: Path) -> None:
    old = set(serving(folder, "one"))
    deployer.model("newer", {"Environment": {"MINE": "2"}})
    deployer.model("worse", {"ModelDataUrl": "s3://models/none.tar.gz"})
    for name in ("newer", "worse"):
        deployer.config(name, {"ModelName": name})
    with ThreadPoolExecutor(4) as pool:
        busy = pool.submit(deployer.invoke, "one", "sleep 1.5")
        wait_until(lambda: len(deployer.streams("one")) >= 2, 10)
        over: list[bool] = []
        seen: list[str] = []

        def ask() -> None:
            while not over:
                seen.append(deployer.invoke("one")["Body"]["environment"]["MINE"])

        asking = pool.submit(ask)
        try:
            deployer.sagemaker.update_endpoint(EndpointName="one", EndpointConfigName="worse")
            found = deployer.described("one")
            assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("Updating", "one")
            assert found["PendingDeploymentSummary"]["EndpointConfigName"] == "worse"
            with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
                deployer.sagemaker.update_endpoint(EndpointName="one", EndpointConfigName="newer")
            found = deployer.reached("one", "InService")
            assert found["FailureReason"].startswith("Failed to download model data for container")
            assert (found["EndpointConfigName"], deployer.counts("one")) == ("one", {VARIANT: 2})
            assert "PendingDeploymentSummary" not in found
            deployer.sagemaker.update_endpoint(EndpointName="one", EndpointConfigName="newer")
            found = deployer.reached("one", "InService")
            assert (found["EndpointConfigName"], deployer.counts("one")) == ("newer", {VARIANT: 1})
            assert "FailureReason" not in found
        finally:
            over.append(True)
        asking.result()
        assert busy.result()["Body"]["body"] == "sleep 1.5"
    assert [one for one, other in pairwise(seen) if one != other] == ["1"]
    assert not old & set(serving(folder, "one"))


def test_endpoints_are_listed_newest_first_by_name_and_by_time(deployer: Deployer) -> None:
    def names(**more: Any) -> list[str]:
        return [one["EndpointName"] for one in deployer.sagemaker.list_endpoints(**more)["Endpoints"]]

    assert names(SortBy="Name", SortOrder="Ascending", NameContains="i") == ["Direct", "Serial"]
    assert names(NameContains="i") == ["Direct", "Serial"]
    now = datetime.now(timezone.utc)
    assert names(CreationTimeAfter=now + timedelta(hours=1)) == names(LastModifiedTimeBefore=now - timedelta(1)) == []
    first = deployer.sagemaker.list_endpoints(MaxResults=2)
    second = deployer.sagemaker.list_endpoints(MaxResults=2, NextToken=first["NextToken"])
    both = [one["EndpointName"] for one in first["Endpoints"] + second["Endpoints"]]
    assert both == names()[:4]


def test_what_cannot_be_made_is_refused(deployer: Deployer) -> None:
    create = deployer.sagemaker.create_endpoint
    with pytest.raises(ClientError, match=r"Cannot create already existing endpoint .arn:.*endpoint/one"):
        create(EndpointName="one", EndpointConfigName="one")
    with pytest.raises(ClientError, match=r"Could not find endpoint configuration .arn:.*endpoint-config/none"):
        create(EndpointName="other", EndpointConfigName="none")
    deployer.config("crowd", {"ModelName": "one", "InitialInstanceCount": 17})
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        create(EndpointName="other", EndpointConfigName="crowd")
    with pytest.raises(ClientError, match="Could not find endpoint"):
        deployer.sagemaker.delete_endpoint(EndpointName="other")


def test_a_runner_that_is_killed_fails_its_endpoint_and_leaves_nothing(deployer: Deployer, folder: Path) -> None:
    runner = _runner(folder, deployer, "Direct")
    os.kill(runner, signal.SIGKILL)
    found = deployer.reached("Direct", "Failed")
    assert found["FailureReason"].startswith("InternalServerError: ")
    assert deployer.refused("Direct", TargetContainerHostname="first")["Error"]["Code"] == "ValidationError"
    wait_until(lambda: serving(folder, "Direct") == [], 20, what="its processes are gone")
    deployer.delete("Direct")


def _runner(folder: Path, deployer: Deployer, endpoint: str) -> int:
    """Return the runner of an endpoint: the parent of its cells."""
    cells = processes(lambda words, env: "plane.cell" in words and _is(env, folder, endpoint))
    stat = Path(f"/proc/{cells[0]}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def test_deleted_endpoints_leave_no_process_and_keep_their_configuration(deployer: Deployer, folder: Path) -> None:
    deployer.delete("one", "many", "two", "Serial")
    assert [serving(folder, name) for name in ("one", "many", "two", "Serial")] == [[]] * 4
    assert deployer.sagemaker.describe_endpoint_config(EndpointConfigName="newer")["EndpointConfigName"] == "newer"
    assert deployer.sagemaker.describe_model(ModelName="one")["ModelName"] == "one"
    assert deployer.sagemaker.list_endpoints()["Endpoints"] == []


def test_a_plane_that_ends_takes_its_endpoints_along(plane: PlaneThread, deployer: Deployer, folder: Path) -> None:
    deployer.sagemaker.create_endpoint(EndpointName="last", EndpointConfigName="one")
    deployer.in_service("last")
    assert serving(folder, "last")
    plane.stop()
    wait_until(lambda: serving(folder, "last") == [], 20, what="its processes are gone")
