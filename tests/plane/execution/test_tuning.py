"""Tuning jobs that run on a plane, their trials as processes: what is tried, counted, chosen, stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Settings
from tests.waiting import wait_until

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/Job"
# What a user's image has as `train`: prints its objective, unless told to say nothing, to fail or to go on and on.
TRAIN = """#!/bin/sh
ml=$SAGEMAKER_BASE_DIR
value() { sed -n "s/.*\\"$1\\": \\"\\([^\\"]*\\)\\".*/\\1/p" $ml/input/config/hyperparameters.json; }
case $(value does) in
fail) echo "no good" >$ml/output/failure; exit 1 ;;
hang) exec sleep 300 ;;
silent) exit 0 ;;
esac
echo "loss=9;"
echo "loss=$(value x);"
"""
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
REGEX = "loss=([0-9.]+);"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlaneThread]:
    folder = tmp_path_factory.mktemp("tuning")
    program = folder / "bin" / "train"
    program.parent.mkdir()
    program.write_text(TRAIN)
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        # A runner is a child of this very process.
        patch.setenv("PATH", str(program.parent), prepend=":")
        with PlaneThread(settings=Settings(jobs="processes"), folder=_made(folder / "plane")) as thread:
            yield thread


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="module")
def sagemaker(plane: PlaneThread) -> Iterator[Any]:
    found = plane.environment()
    client = boto3.client(
        "sagemaker",
        region_name=REGION,
        endpoint_url=found["AWS_ENDPOINT_URL"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
    )
    yield client
    client.close()


def submit(
    sagemaker: Any,
    name: str,
    *,
    xs: tuple[str, ...] = ("3", "1", "2"),
    static: dict[str, str] | None = None,
    limits: dict[str, int] | None = None,
    **config: Any,
) -> str:
    answer = sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Grid",
            "ResourceLimits": {"MaxParallelTrainingJobs": 2, **(limits or {})},
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ParameterRanges": grid(*xs),
            **config,
        },
        TrainingJobDefinition=definition(static),
        Tags=[{"Key": "team", "Value": "vision"}],
    )
    return str(answer["HyperParameterTuningJobArn"])


def grid(*xs: str) -> dict[str, Any]:
    return {"CategoricalParameterRanges": [{"Name": "x", "Values": list(xs)}]}


def definition(static: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "StaticHyperParameters": static or {},
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": REGEX}],
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        # As SDK v2 sends it.
        "HyperParameterTuningResourceConfig": RESOURCES,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "Environment": {"COLOUR": "green"},
        **more,
    }


def described(sagemaker: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    return found


def ended(sagemaker: Any, name: str) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        found = described(sagemaker, name)
        return found if found["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping") else None

    return wait_until(over, 60, every=0.2, what=f"{name} has ended")


def children(sagemaker: Any, name: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, **more
    )["TrainingJobSummaries"]
    return found


def values(found: list[dict[str, Any]]) -> list[float]:
    return [one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for one in found]


def test_a_grid_runs_to_its_end_and_the_best_is_told(sagemaker: Any) -> None:
    arn = submit(sagemaker, "grid", static={"epochs": "3"})
    found = ended(sagemaker, "grid")
    assert found["HyperParameterTuningJobStatus"] == "Completed", found
    assert found["HyperParameterTuningJobArn"] == arn
    assert found["TrainingJobStatusCounters"] == {
        "Completed": 3,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert found["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    assert found["HyperParameterTuningEndTime"] >= found["CreationTime"]
    assert "FailureReason" not in found
    assert "OverallBestTrainingJob" not in found
    # As the service's: SDKs that attach to a tuning job take it out again.
    static = {"epochs": "3", "_tuning_objective_metric": "loss"}
    assert found["TrainingJobDefinition"]["StaticHyperParameters"] == static
    assert found["TrainingJobDefinition"]["ResourceConfig"] == RESOURCES
    best = found["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"x": "1"}
    assert best["FinalHyperParameterTuningJobObjectiveMetric"] == {"MetricName": "loss", "Value": 1.0}
    assert best["ObjectiveStatus"] == "Succeeded"

    names = [one["TrainingJobName"] for one in children(sagemaker, "grid")]
    assert [name.rpartition("-")[0] for name in names] == ["grid-001", "grid-002", "grid-003"]
    by_value = children(sagemaker, "grid", SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert values(by_value) == [3.0, 2.0, 1.0]
    assert [one["TunedHyperParameters"]["x"] for one in by_value] == ["3", "2", "1"]

    trial = sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert trial["TuningJobArn"] == arn
    assert trial["HyperParameters"] == {**static, "x": "1"}
    assert trial["Environment"] == {"COLOUR": "green"}
    tags = sagemaker.list_tags(ResourceArn=trial["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "vision"}]
    listed = sagemaker.list_hyper_parameter_tuning_jobs(NameContains="grid")["HyperParameterTuningJobSummaries"]
    assert [
        (one["HyperParameterTuningJobStatus"], one["TrainingJobStatusCounters"]["Completed"]) for one in listed
    ] == [("Completed", 3)]


def test_no_more_run_at_once_than_may_and_a_stop_ends_them_all(sagemaker: Any) -> None:
    submit(sagemaker, "stopped", xs=("1", "2", "3", "4"), static={"does": "hang"})
    running = wait_until(
        lambda: len(children(sagemaker, "stopped", StatusEquals="InProgress")) == 2,
        30,
        every=0.1,
        what="two trials run",
    )
    assert running
    found = described(sagemaker, "stopped")
    assert found["TrainingJobStatusCounters"]["InProgress"] == found["ObjectiveStatusCounters"]["Pending"] == 2
    assert "BestTrainingJob" not in found
    assert "HyperParameterTuningEndTime" not in found
    with pytest.raises(ClientError, match="stop it first"):
        sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopped")
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopped")
    assert described(sagemaker, "stopped")["HyperParameterTuningJobStatus"] in ("Stopping", "Stopped")
    found = ended(sagemaker, "stopped")
    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"]["Stopped"] == 2
    assert [one["TrainingJobStatus"] for one in children(sagemaker, "stopped")] == ["Stopped", "Stopped"]
    with pytest.raises(ClientError, match="in status Stopped"):
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopped")
    sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopped")
    with pytest.raises(ClientError):
        described(sagemaker, "stopped")


def test_trials_that_fail_fail_it_and_no_more_are_started(sagemaker: Any) -> None:
    submit(sagemaker, "failing", xs=tuple("123456789"), static={"does": "fail"}, limits={"MaxParallelTrainingJobs": 5})
    submit(sagemaker, "silent", xs=("1", "2", "3", "4", "5"), static={"does": "silent"})
    found = ended(sagemaker, "failing")
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    # One more may have been started for the first that had failed.
    assert re.match(r"No training job succeeded after [567] attempts\. For additional", found["FailureReason"])
    failed = children(sagemaker, "failing", StatusEquals="Failed")
    assert 5 <= len(failed) == found["TrainingJobStatusCounters"]["NonRetryableError"] < 9
    assert all(one["FailureReason"] == "AlgorithmError: no good, exit code: 1" for one in failed), failed
    found = ended(sagemaker, "silent")
    assert found["FailureReason"].startswith("No objective metrics found after running 5 training jobs.")
    assert found["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 5}


def test_it_ends_when_its_target_is_reached(sagemaker: Any) -> None:
    criteria = {"TargetObjectiveMetricValue": 1.0}
    submit(
        sagemaker,
        "target",
        xs=("1", "2", "3", "4"),
        limits={"MaxParallelTrainingJobs": 1},
        TuningJobCompletionCriteria=criteria,
    )
    found = ended(sagemaker, "target")
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert found["TrainingJobStatusCounters"]["Completed"] == 1


def test_several_definitions_have_an_objective_each(sagemaker: Any) -> None:
    objectives = {"down": {"Type": "Minimize", "MetricName": "loss"}, "up": {"Type": "Maximize", "MetricName": "loss"}}
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="several",
        HyperParameterTuningJobConfig={"Strategy": "Grid", "ResourceLimits": {"MaxParallelTrainingJobs": 3}},
        TrainingJobDefinitions=[
            definition(DefinitionName="down", TuningObjective=objectives["down"], HyperParameterRanges=grid("5", "4")),
            definition(DefinitionName="up", TuningObjective=objectives["up"], HyperParameterRanges=grid("1")),
        ],
    )
    found = ended(sagemaker, "several")
    assert found["HyperParameterTuningJobStatus"] == "Completed", found
    trials = children(sagemaker, "several", SortBy="FinalObjectiveMetricValue")
    assert [(one["TrainingJobDefinitionName"], value) for one, value in zip(trials, values(trials), strict=True)] == [
        ("up", 1.0),
        ("down", 4.0),
        ("down", 5.0),
    ]
    assert [one["FinalHyperParameterTuningJobObjectiveMetric"]["Type"] for one in trials] == [
        "Maximize",
        "Minimize",
        "Minimize",
    ]
    # Values of different objectives cannot be compared: the first definition's best is told.
    assert found["BestTrainingJob"]["TunedHyperParameters"] == {"x": "4"}
    static = [one["StaticHyperParameters"] for one in found["TrainingJobDefinitions"]]
    assert static == [{"_tuning_objective_metric": "loss"}] * 2


def test_what_the_service_refuses_is_refused(sagemaker: Any) -> None:
    submit(sagemaker, "once", xs=("1",))
    with pytest.raises(ClientError) as error:
        submit(sagemaker, "once")
    assert error.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(ClientError, match="A metric is required"):
        submit(sagemaker, "metric", HyperParameterTuningJobObjective={"Type": "Minimize", "MetricName": "none"})
    with pytest.raises(ClientError, match="less than or equal to 48"):
        sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="metric",
            HyperParameterTuningJobConfig={"Strategy": "Grid", "ResourceLimits": {"MaxParallelTrainingJobs": 1}},
            TrainingJobDefinition=definition(Environment={f"V{number}": "" for number in range(49)}),
        )
    with pytest.raises(ClientError) as error:
        described(sagemaker, "metric")
    with pytest.raises(ClientError) as error:
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="metric")
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"
    ended(sagemaker, "once")
