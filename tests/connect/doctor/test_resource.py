"""What SageMaker says of each kind, as far as SSH has to do with it. Answers as botocore's model has them."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.doctor import resource
from sm_ssh_entry.connect.doctor.case import Case, Resource
from sm_ssh_entry.connect.doctor.findings import Status

ROLE = "arn:aws:iam::123456789012:role/Execution"
VPC = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
ENV = {"START_SSH": "true"}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:thing/x"
NOW = 1_700_000_000
MODEL = {
    "ModelName": "m",
    "ModelArn": ARN,
    "CreationTime": NOW,
    "ExecutionRoleArn": ROLE,
    "VpcConfig": VPC,
    "EnableNetworkIsolation": True,
}

ENDPOINT: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "describe_endpoint",
        {
            "EndpointName": "e",
            "EndpointArn": ARN,
            "EndpointConfigName": "c",
            "EndpointStatus": "InService",
            "CreationTime": NOW,
            "LastModifiedTime": NOW,
        },
    ),
    (
        "describe_endpoint_config",
        {
            "EndpointConfigName": "c",
            "EndpointConfigArn": ARN,
            "ProductionVariants": [
                {"VariantName": name, "ModelName": name, "InitialInstanceCount": 1} for name in ("blue", "green")
            ],
            "CreationTime": NOW,
        },
    ),
)


@pytest.fixture
def sagemaker() -> Any:
    return botocore.session.get_session().create_client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


def told(sagemaker: Any, host: str, *answers: Any) -> Resource:
    case = Case(Reach(region="us-east-1"), names.parse(host))
    case._clients["sagemaker"] = sagemaker
    with Stubber(sagemaker) as stub:
        for operation, answer, *asked in answers:
            stub.add_response(operation, answer, *asked)
        assert resource.exists(case).status is Status.OK
        stub.assert_no_pending_responses()
    assert case.resource is not None
    return case.resource


def test_a_processing_job(sagemaker: Any) -> None:
    found = told(
        sagemaker,
        "p.processing.sagemaker",
        (
            "describe_processing_job",
            {
                "ProcessingJobName": "p",
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
                },
                "AppSpecification": {"ImageUri": "i"},
                "ProcessingJobArn": ARN,
                "ProcessingJobStatus": "Failed",
                "ExitMessage": "AlgorithmError:\n exit 1",
                "CreationTime": NOW,
                "Environment": ENV,
                "RoleArn": ROLE,
                "NetworkConfig": {"EnableNetworkIsolation": True, "VpcConfig": VPC},
            },
        ),
    )
    assert found == Resource(
        "processing job",
        "p",
        "Failed",
        running=False,
        environment=ENV,
        role=ROLE,
        subnets=("subnet-1",),
        groups=("sg-1",),
        isolated=True,
        reason="AlgorithmError: exit 1",
    )


def test_a_transform_job_has_its_models_settings_and_its_own_environment(sagemaker: Any) -> None:
    found = told(
        sagemaker,
        "t.transform.sagemaker",
        (
            "describe_transform_job",
            {
                "TransformJobName": "t",
                "TransformJobArn": ARN,
                "TransformJobStatus": "InProgress",
                "ModelName": "m",
                "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b"}}},
                "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
                "CreationTime": NOW,
                "Environment": {"SSH_OWNER_TAG": "AROA:me"},
            },
        ),
        ("describe_model", {**MODEL, "PrimaryContainer": {"Environment": ENV}}),
    )
    assert found.environment == {**ENV, "SSH_OWNER_TAG": "AROA:me"}
    assert (found.running, found.role, found.isolated) == (True, ROLE, True)


def test_an_endpoint_whose_model_was_deleted_still_runs(sagemaker: Any) -> None:
    case = Case(Reach(region="us-east-1"), names.parse("e.inference.sagemaker"))
    case._clients["sagemaker"] = sagemaker
    with Stubber(sagemaker) as stub:
        for operation, answer in ENDPOINT:
            stub.add_response(operation, answer)
        stub.add_client_error("describe_model", "ValidationException", "Could not find model")
        assert resource.exists(case).status is Status.OK
    assert case.resource is not None
    assert (case.resource.running, case.resource.environment, case.resource.role) == (True, None, "")


@pytest.mark.parametrize(
    ("host", "model"), [("e.inference.sagemaker", "blue"), ("green.e.inference.sagemaker", "green")]
)
def test_an_endpoint_has_the_settings_of_its_variants_model(sagemaker: Any, host: str, model: str) -> None:
    found = told(
        sagemaker,
        host,
        *ENDPOINT,
        ("describe_model", {**MODEL, "Containers": [{"Environment": ENV}]}, {"ModelName": model}),
    )
    assert (found.noun, found.running, found.environment) == ("endpoint", True, ENV)


def test_a_notebook_instance_with_direct_access_needs_no_vpc(sagemaker: Any) -> None:
    answer = {
        "NotebookInstanceName": "n",
        "NotebookInstanceStatus": "InService",
        "SubnetId": "subnet-1",
        "SecurityGroups": ["sg-1"],
        "RoleArn": ROLE,
        "DirectInternetAccess": "Enabled",
    }
    call = ("describe_notebook_instance", answer)
    assert told(sagemaker, "n.notebook.sagemaker", call).subnets == ()
    answer["DirectInternetAccess"] = "Disabled"
    found = told(sagemaker, "n.notebook.sagemaker", call)
    assert (found.subnets, found.environment) == (("subnet-1",), None)
