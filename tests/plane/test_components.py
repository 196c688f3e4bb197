"""Inference components on the plane."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.plane.conftest import ClientMaker


@pytest.fixture
def sagemaker(client: ClientMaker) -> Any:
    made = client("sagemaker")
    made.create_model(ModelName="m", PrimaryContainer={"Image": "i", "Environment": {"SSH_SESSION_ID": "id"}})
    variant = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    made.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[variant], ExecutionRoleArn="arn:aws:iam::123456789012:role/Job"
    )
    made.create_endpoint(EndpointName="e", EndpointConfigName="c")
    return made


def make(sagemaker: Any, name: str, **specification: Any) -> None:
    sagemaker.create_inference_component(
        InferenceComponentName=name,
        EndpointName="e",
        VariantName="v",
        Specification=specification,
        RuntimeConfig={"CopyCount": 2},
    )


def test_a_component_is_described_as_it_was_made(sagemaker: Any) -> None:
    make(sagemaker, "a", ModelName="m")
    found = sagemaker.describe_inference_component(InferenceComponentName="a")
    assert (found["EndpointName"], found["VariantName"], found["InferenceComponentStatus"]) == ("e", "v", "InService")
    assert found["Specification"] == {"ModelName": "m"}
    assert found["RuntimeConfig"] == {"DesiredCopyCount": 2, "CurrentCopyCount": 2}
    make(sagemaker, "b", Container={"Image": "i", "Environment": {"SSH_SESSION_ID": "x"}})
    container = sagemaker.describe_inference_component(InferenceComponentName="b")["Specification"]["Container"]
    assert container["Environment"] == {"SSH_SESSION_ID": "x"}
    assert container["DeployedImage"]["SpecifiedImage"] == "i"


def test_listing_and_deletion(sagemaker: Any) -> None:
    for name in ("a", "b", "c"):
        make(sagemaker, name, ModelName="m")
    pages = sagemaker.get_paginator("list_inference_components").paginate(
        EndpointNameEquals="e", PaginationConfig={"PageSize": 2}
    )
    names = [one["InferenceComponentName"] for page in pages for one in page["InferenceComponents"]]
    assert names == ["a", "b", "c"]
    assert sagemaker.list_inference_components(EndpointNameEquals="other")["InferenceComponents"] == []
    sagemaker.delete_inference_component(InferenceComponentName="b")
    left = sagemaker.list_inference_components(NameContains="b")["InferenceComponents"]
    assert left == []


@pytest.mark.parametrize(
    ("endpoint", "variant", "model", "text"),
    [
        ("none", "v", "m", "Could not find endpoint"),
        ("e", "none", "m", "Variant none"),
        ("e", "v", "none", "Could not find model"),
    ],
)
def test_what_there_is_not(sagemaker: Any, endpoint: str, variant: str, model: str, text: str) -> None:
    with pytest.raises(ClientError, match=text):
        sagemaker.create_inference_component(
            InferenceComponentName="a", EndpointName=endpoint, VariantName=variant, Specification={"ModelName": model}
        )
    for call in (sagemaker.describe_inference_component, sagemaker.delete_inference_component):
        with pytest.raises(ClientError, match="Could not find inference component") as error:
            call(InferenceComponentName="a")
        assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_name_is_given_once(sagemaker: Any) -> None:
    make(sagemaker, "a", ModelName="m")
    with pytest.raises(ClientError, match="already existing"):
        make(sagemaker, "a", ModelName="m")
