# mypy: disable-error-code="import-not-found"
"""Submissions with SDK v2 by the older names, as people's code has them; prints what the service received."""

from __future__ import annotations

from typing import Any

import boto3
from sagemaker.estimator import Estimator
from sagemaker.model import Model
from sagemaker.multidatamodel import MultiDataModel
from sagemaker.processing import ScriptProcessor
from sagemaker.session import Session
from sagemaker_ssh_helper.wrapper import (
    SSHEstimatorWrapper,
    SSHModelWrapper,
    SSHMultiModelWrapper,
    SSHProcessorWrapper,
    SSHTransformerWrapper,
)
from telling import IMAGE, ONE, ROLE, ours, quiet, refused, write

S3 = "s3://bucket/folder"


def train(session: Session, service: Any) -> dict[str, Any]:
    common = {"image_uri": IMAGE, "role": ROLE, "output_path": S3, "sagemaker_session": session}
    estimator = Estimator(**common, instance_count=3, instance_type="ml.m5.large")
    wrapper = SSHEstimatorWrapper.create(estimator, connection_wait_time_seconds=60)
    early = [refused(wrapper.get_instance_ids), refused(wrapper.get_cloudwatch_url)]
    estimator.fit(wait=False, job_name="old-train")
    bare = Estimator(**common, **ONE)
    bare.fit(wait=False, job_name="bare")
    late = refused(lambda: SSHEstimatorWrapper.create(bare))
    described = service.describe_training_job(TrainingJobName="old-train")
    return {
        "variables": ours(described["Environment"]),
        "early": early,
        "late": late,
        "name": wrapper.training_job_name(),
        "ids": wrapper.get_instance_ids(timeout_in_sec=30),
        "url": wrapper.get_metadata_url(),
    }


def process(session: Session, service: Any) -> dict[str, Any]:
    processor = ScriptProcessor(image_uri=IMAGE, role=ROLE, command=["python3"], sagemaker_session=session, **ONE)
    wrapper = SSHProcessorWrapper.create(processor)
    early = refused(wrapper.print_ssh_info)
    processor.run(code=__file__, inputs=[wrapper.augmented_input()], job_name="old-process", wait=False)
    described = service.describe_processing_job(ProcessingJobName="old-process")
    brought = next(one for one in described["ProcessingInputs"] if one["InputName"] == "sagemaker_ssh_helper")
    _, _, bucket, prefix = brought["S3Input"]["S3Uri"].split("/", 3)
    keys = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        "variables": ours(described["Environment"]),
        "entrypoint": described["AppSpecification"]["ContainerEntrypoint"],
        "early": early,
        "ids": wrapper.get_instance_ids(timeout_in_sec=30),
        "destination": brought["S3Input"]["LocalPath"],
        "init": f"{prefix}/__init__.py" in {one["Key"] for one in keys},
    }


def serve(session: Session, service: Any) -> dict[str, Any]:
    model = Model(image_uri=IMAGE, role=ROLE, name="old-model", sagemaker_session=session)
    without = refused(lambda: SSHTransformerWrapper.create(object(), SSHModelWrapper(model)))
    wrapper = SSHModelWrapper.create(model, connection_wait_time_seconds=0)
    transformer = model.transformer(output_path=S3, **ONE)
    transforming = SSHTransformerWrapper.create(transformer, wrapper)
    other = refused(lambda: SSHTransformerWrapper.create(_Renamed(), wrapper))
    transformer.transform(S3, job_name="old-transform", wait=False)
    deployed = Model(image_uri=IMAGE, role=ROLE, name="old-deployed", sagemaker_session=session)
    serving = SSHModelWrapper.create(deployed, connection_wait_time_seconds=0)
    early = refused(serving.wait_for_endpoint)
    deployed.deploy(1, "ml.m5.large", endpoint_name="old-endpoint", wait=False)
    serving.wait_for_endpoint()
    described = service.describe_model(ModelName="old-model")
    return {
        "variables": ours(described["PrimaryContainer"]["Environment"]),
        "early": early,
        "without": without,
        "other": other,
        "endpoint": serving.resource_name(),
        "model": serving.get_model_metadata_url(),
        "transform": transforming.get_transformer_latest_job_name(),
        "transform_ids": transforming.get_instance_ids(timeout_in_sec=30),
        "wait": transforming.connection_wait_time_seconds,
    }


class _Renamed:
    model_name = "another"


def serve_many(session: Session, service: Any) -> dict[str, Any]:
    many = MultiDataModel(
        name="old-many", model_data_prefix=f"{S3}/", image_uri=IMAGE, role=ROLE, sagemaker_session=session
    )
    wrapper = SSHMultiModelWrapper.create(many, connection_wait_time_seconds=0)
    early = refused(wrapper.get_instance_ids)
    many.deploy(1, "ml.m5.large", endpoint_name="old-many-endpoint", wait=False)
    described = service.describe_model(ModelName="old-many")
    return {
        "variables": ours(described["PrimaryContainer"]["Environment"]),
        "early": early,
        "endpoint": wrapper.resource_name(),
        "config": wrapper.get_config_metadata_url(),
    }


def main() -> None:
    quiet()
    boto3.client("s3").create_bucket(Bucket="bucket")
    session, service = Session(default_bucket="bucket"), boto3.client("sagemaker")
    write({case.__name__: case(session, service) for case in (train, process, serve, serve_many)})


main()
