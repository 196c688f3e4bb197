"""What runs here as SageMaker describes and lists it, kind by kind."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.conftest import REGION, ClientMaker


@pytest.fixture
def sagemaker(client: ClientMaker) -> Any:
    return client("sagemaker")


def note(plane: PlaneThread, name: str = "x", **fields: Any) -> dict[str, str]:
    return plane.call(lambda running: job_records.note(running.store, {"name": name, "region": REGION, **fields}))


def test_a_training_job_runs_and_ends(shared_plane: PlaneThread, sagemaker: Any) -> None:
    made = note(shared_plane, nodes=2, request={"Environment": {"A": "b"}})
    assert made["arn"].endswith(":training-job/x")
    found = sagemaker.describe_training_job(TrainingJobName="x")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("InProgress", "Training")
    assert found["ResourceConfig"]["InstanceCount"] == 2
    assert found["Environment"] == {"A": "b"}
    assert [step["Status"] for step in found["SecondaryStatusTransitions"]] == ["Starting", "Training"]
    assert "TrainingEndTime" not in found
    assert "RemoteDebugConfig" not in found
    (listed,) = sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
    assert listed["TrainingJobName"] == "x"
    note(shared_plane, job_status="Failed", failure="out of luck")
    found = sagemaker.describe_training_job(TrainingJobName="x")
    assert (found["TrainingJobStatus"], found["FailureReason"]) == ("Failed", "out of luck")
    assert found["TrainingEndTime"] >= found["TrainingStartTime"]
    assert sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"] == []


def test_a_processing_job(shared_plane: PlaneThread, sagemaker: Any) -> None:
    note(shared_plane, kind="processing", nodes=3)
    found = sagemaker.describe_processing_job(ProcessingJobName="x")
    assert (found["ProcessingJobStatus"], found["ProcessingResources"]["ClusterConfig"]["InstanceCount"]) == (
        "InProgress",
        3,
    )
    assert "ProcessingEndTime" not in found
    note(shared_plane, kind="processing", job_status="Failed", failure="why")
    found = sagemaker.describe_processing_job(ProcessingJobName="x")
    assert (found["ProcessingJobStatus"], found["ExitMessage"]) == ("Failed", "why")


def test_a_transform_job(shared_plane: PlaneThread, sagemaker: Any) -> None:
    note(shared_plane, kind="transform")
    assert sagemaker.describe_transform_job(TransformJobName="x")["TransformJobStatus"] == "InProgress"
    note(shared_plane, kind="transform", job_status="Completed")
    (listed,) = sagemaker.list_transform_jobs()["TransformJobSummaries"]
    assert listed["TransformJobStatus"] == "Completed"


def test_an_endpoint_has_a_model_with_its_environment(shared_plane: PlaneThread, sagemaker: Any) -> None:
    note(shared_plane, kind="inference", nodes=2, native=True, request={"Environment": {"SSH_SESSION_ID": "s"}})
    endpoint = sagemaker.describe_endpoint(EndpointName="x")
    assert endpoint["EndpointStatus"] == "InService"
    assert endpoint["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    (variant,) = config["ProductionVariants"]
    assert variant["EnableSSMAccess"] is True
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    assert model["PrimaryContainer"]["Environment"] == {"SSH_SESSION_ID": "s"}
    with pytest.raises(AwsError, match="already existing"):
        note(shared_plane, kind="inference")
    note(shared_plane, kind="inference", job_status="Completed")
    found = sagemaker.describe_endpoint(EndpointName="x")
    assert (found["EndpointStatus"], found["FailureReason"]) == (
        "Failed",
        "The container of variant AllTraffic has ended.",
    )
    note(shared_plane, kind="inference")
    note(shared_plane, kind="inference", job_status="Stopped")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []


@pytest.mark.parametrize(("status", "shown"), [("Stopped", "Deleted"), ("Completed", "Deleted"), ("Failed", "Failed")])
def test_a_studio_app(shared_plane: PlaneThread, sagemaker: Any, status: str, shown: str) -> None:
    note(shared_plane, kind="studio", native=True)
    with pytest.raises(AwsError, match="ResourceInUse"):
        note(shared_plane, kind="studio")
    (space,) = sagemaker.list_spaces()["Spaces"]
    assert space["SpaceSettingsSummary"]["RemoteAccess"] == "ENABLED"
    (app,) = sagemaker.list_apps()["Apps"]
    assert (app["SpaceName"], app["AppType"], app["AppName"], app["Status"]) == (
        "x",
        "JupyterLab",
        "default",
        "InService",
    )
    note(shared_plane, kind="studio", job_status=status)
    (app,) = sagemaker.list_apps()["Apps"]
    assert app["Status"] == shown
    note(shared_plane, kind="studio")
    assert [one["Status"] for one in sagemaker.list_apps()["Apps"]] == ["InService"]


def test_a_notebook_instance(shared_plane: PlaneThread, sagemaker: Any) -> None:
    note(shared_plane, kind="notebook")
    found = sagemaker.describe_notebook_instance(NotebookInstanceName="x")
    assert found["NotebookInstanceStatus"] == "InService"
    with pytest.raises(AwsError, match="duplicate"):
        note(shared_plane, kind="notebook")
    note(shared_plane, kind="notebook", job_status="Completed")
    found = sagemaker.describe_notebook_instance(NotebookInstanceName="x")
    assert found["NotebookInstanceStatus"] == "Stopped"
    note(shared_plane, kind="notebook")


@pytest.mark.parametrize("kind", ["training", "processing", "transform"])
def test_one_job_of_a_name_at_a_time(shared_plane: PlaneThread, kind: str) -> None:
    note(shared_plane, kind=kind)
    with pytest.raises(AwsError, match="ResourceInUse"):
        note(shared_plane, kind=kind)
    note(shared_plane, kind=kind, job_status="Completed")
    note(shared_plane, kind=kind)


@pytest.mark.parametrize("kind", job_records.KINDS)
def test_what_does_not_run_cannot_end(shared_plane: PlaneThread, kind: str) -> None:
    with pytest.raises(AwsError, match="ResourceNotFound"):
        note(shared_plane, kind=kind, job_status="Completed")


@pytest.mark.parametrize("wrong", [{"kind": "other"}, {"job_status": "Fine"}])
def test_what_cannot_be(shared_plane: PlaneThread, wrong: dict[str, str]) -> None:
    with pytest.raises(AwsError, match="ValidationException"):
        note(shared_plane, **wrong)


def test_a_reset_forgets_all_of_it(shared_plane: PlaneThread, sagemaker: Any) -> None:
    for kind in job_records.KINDS:
        note(shared_plane, kind=kind)
    shared_plane.reset()
    for kind in job_records.KINDS:
        note(shared_plane, kind=kind)


def test_a_job_that_is_over_has_no_step_under_way(shared_plane: PlaneThread, sagemaker: Any) -> None:
    note(shared_plane)
    note(shared_plane, job_status="Failed", failure="why")
    # What comes late changes nothing.
    note(shared_plane, job_status="Stopped")
    found = sagemaker.describe_training_job(TrainingJobName="x")
    assert (found["TrainingJobStatus"], found["FailureReason"]) == ("Failed", "why")
    assert [one["Status"] for one in found["SecondaryStatusTransitions"]] == ["Starting", "Training", "Failed"]
    assert all("EndTime" in one for one in found["SecondaryStatusTransitions"])
    assert found["FinalMetricDataList"] == []
