"""SageMaker on the plane: what moto drops of requests is told again, and refusals are the service's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.conftest import REGION, ClientMaker

ROLE = "arn:aws:iam::123456789012:role/Job"


@pytest.fixture
def sagemaker(client: ClientMaker) -> Any:
    return client("sagemaker")


def train(sagemaker: Any, name: str, **more: Any) -> str:
    answer = sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://bucket/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        **more,
    )
    return str(answer["TrainingJobArn"])


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_training_job_keeps_its_environment_and_remote_debug(sagemaker: Any) -> None:
    arn = train(
        sagemaker,
        "j",
        Environment={"START_SSH": "true"},
        RemoteDebugConfig={"EnableRemoteDebug": True},
        EnableNetworkIsolation=True,
        HyperParameters={"a": "1"},
    )
    assert arn == f"arn:aws:sagemaker:{REGION}:123456789012:training-job/j"
    found = sagemaker.describe_training_job(TrainingJobName="j")
    assert found["TrainingJobArn"] == arn
    assert found["Environment"] == {"START_SSH": "true"}
    assert found["RemoteDebugConfig"] == {"EnableRemoteDebug": True}
    assert found["EnableNetworkIsolation"] is True
    assert found["HyperParameters"] == {"a": "1"}
    assert found["ResourceConfig"]["InstanceCount"] == 2
    assert found["AlgorithmSpecification"] == {"TrainingImage": "image", "TrainingInputMode": "File"}
    assert found["OutputDataConfig"] == {"S3OutputPath": "s3://bucket/out", "KmsKeyId": ""}


def test_a_name_is_given_once(sagemaker: Any) -> None:
    train(sagemaker, "j")
    with pytest.raises(ClientError) as error:
        train(sagemaker, "j")
    assert code(error) == "ResourceInUse"


def test_a_request_is_checked_by_the_services_own_shape(sagemaker: Any) -> None:
    with pytest.raises(ClientError, match="trainingJobName") as error:
        train(sagemaker, "under_score")
    assert code(error) == "ValidationException"


def test_a_processing_job_and_a_model_keep_what_they_are_given(sagemaker: Any) -> None:
    cluster = {"InstanceCount": 3, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    sagemaker.create_processing_job(
        ProcessingJobName="p",
        AppSpecification={"ImageUri": "image"},
        RoleArn=ROLE,
        ProcessingResources={"ClusterConfig": cluster},
        Environment={"START_SSH": "true"},
    )
    found = sagemaker.describe_processing_job(ProcessingJobName="p")
    assert found["ProcessingResources"] == {"ClusterConfig": cluster}
    assert found["Environment"] == {"START_SSH": "true"}
    sagemaker.create_model(ModelName="m", EnableNetworkIsolation=True, PrimaryContainer={"Image": "i"})
    assert sagemaker.describe_model(ModelName="m")["EnableNetworkIsolation"] is True


def test_variants_without_a_model_and_shadows(sagemaker: Any) -> None:
    sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": "i"})
    bare = {"VariantName": "bare", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "EnableSSMAccess": True}
    shadow = {"VariantName": "shade", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[bare], ShadowProductionVariants=[shadow], ExecutionRoleArn=ROLE
    )
    found = sagemaker.describe_endpoint_config(EndpointConfigName="c")
    assert found["ProductionVariants"] == [bare]
    assert found["ShadowProductionVariants"] == [shadow]
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    described = sagemaker.describe_endpoint(EndpointName="e")
    assert [one["VariantName"] for one in described["ProductionVariants"]] == ["bare"]


def test_a_variants_model_must_be_there(sagemaker: Any) -> None:
    variant = {"VariantName": "v", "ModelName": "none", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    with pytest.raises(ClientError, match="Could not find model") as error:
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    assert code(error) == "ValidationException"


def test_remote_debug_is_switched_while_a_job_trains_and_not_after(shared_plane: PlaneThread, sagemaker: Any) -> None:
    running = {"name": "j", "region": REGION}
    shared_plane.call(lambda plane: job_records.note(plane.store, running))
    sagemaker.update_training_job(TrainingJobName="j", RemoteDebugConfig={"EnableRemoteDebug": True})
    assert sagemaker.describe_training_job(TrainingJobName="j")["RemoteDebugConfig"] == {"EnableRemoteDebug": True}
    shared_plane.call(lambda plane: job_records.note(plane.store, {**running, "job_status": "Completed"}))
    with pytest.raises(ClientError) as error:
        sagemaker.update_training_job(TrainingJobName="j", RemoteDebugConfig={"EnableRemoteDebug": False})
    assert code(error) == "ValidationException"
    with pytest.raises(ClientError) as error:
        sagemaker.update_training_job(TrainingJobName="none", RemoteDebugConfig={"EnableRemoteDebug": True})
    assert code(error) == "ResourceNotFound"


def test_children_of_a_tuning_job(shared_plane: PlaneThread, sagemaker: Any) -> None:
    config = {
        "Strategy": "Random",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 2},
    }
    sagemaker.create_hyper_parameter_tuning_job(HyperParameterTuningJobName="hp", HyperParameterTuningJobConfig=config)
    for number in range(1, 13):
        train(sagemaker, f"hp-{number:03}-0123abcd")
    train(sagemaker, "hp-final")
    first = {"name": "hp-013-0123abcd", "region": REGION}
    shared_plane.call(lambda plane: job_records.note(plane.store, first))
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName="hp", PaginationConfig={"PageSize": 5}
    )
    found = [one for page in pages for one in page["TrainingJobSummaries"]]
    assert [one["TrainingJobName"] for one in found] == [f"hp-{number:03}-0123abcd" for number in range(1, 14)]
    assert found[-1]["TrainingJobStatus"] == "InProgress"
    answer = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="hp", StatusEquals="InProgress"
    )
    assert [one["TrainingJobName"] for one in answer["TrainingJobSummaries"]] == ["hp-013-0123abcd"]
    with pytest.raises(ClientError) as error:
        sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="none")
    assert code(error) == "ResourceNotFound"


def test_a_clusters_instances_have_ids_of_instances(sagemaker: Any) -> None:
    group = {
        "InstanceGroupName": "workers",
        "InstanceType": "ml.m5.large",
        "InstanceCount": 2,
        "LifeCycleConfig": {"SourceS3Uri": "s3://sagemaker-x", "OnCreate": "on.sh"},
        "ExecutionRole": ROLE,
    }
    sagemaker.create_cluster(ClusterName="c", InstanceGroups=[group])
    found = sagemaker.list_cluster_nodes(ClusterName="c")["ClusterNodeSummaries"]
    assert len({one["InstanceId"] for one in found}) == 2
    assert all(one["InstanceId"].startswith("i-") for one in found)
    node = sagemaker.describe_cluster_node(ClusterName="c", NodeId=found[0]["InstanceId"])["NodeDetails"]
    assert node["InstanceGroupName"] == "workers"


def test_what_a_request_leaves_out_is_not_answered_as_empty(sagemaker: Any) -> None:
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "image"})
    assert "VpcConfig" not in sagemaker.describe_model(ModelName="m")
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    sagemaker.create_model(ModelName="n", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "image"}, VpcConfig=vpc)
    assert sagemaker.describe_model(ModelName="n")["VpcConfig"] == vpc
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    before = datetime.now(timezone.utc)
    made = sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    found = sagemaker.describe_endpoint_config(EndpointConfigName="c")
    del found["ResponseMetadata"]
    assert abs(found.pop("CreationTime") - before) < timedelta(minutes=1)
    arn = made["EndpointConfigArn"]
    assert found == {"EndpointConfigName": "c", "EndpointConfigArn": arn, "ProductionVariants": [variant]}
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.describe_endpoint_config(EndpointConfigName="none")
