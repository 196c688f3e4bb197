# mypy: disable-error-code="import-not-found"
"""Submissions with SDK v3 by the older names; prints what the service received."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.transformer import Transformer
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, OutputDataConfig, SourceCode
from sagemaker_ssh_helper.wrapper import (
    SSHEstimatorWrapper,
    SSHModelWrapper,
    SSHProcessorWrapper,
    SSHTransformerWrapper,
)
from telling import IMAGE, ONE, ROLE, ours, quiet, refused, write

S3 = "s3://bucket/folder"


def train(session: Any, service: Any) -> dict[str, Any]:
    code = Path("code")
    code.mkdir()
    (code / "train.py").write_text("")
    trainer = ModelTrainer(
        training_image=IMAGE,
        role=ROLE,
        base_job_name="new-train",
        source_code=SourceCode(source_dir=str(code), command="true"),
        compute=Compute(instance_type="ml.m5.large", instance_count=3),
        output_data_config=OutputDataConfig(s3_output_path=S3),
        sagemaker_session=session,
    )
    wrapper = SSHEstimatorWrapper.create(trainer, connection_wait_time_seconds=60)
    early = refused(wrapper.get_instance_ids)
    trainer.train(wait=False)
    described = service.describe_training_job(TrainingJobName=wrapper.training_job_name())
    return {
        "variables": ours(described["Environment"]),
        "entrypoint": described["AlgorithmSpecification"]["ContainerEntrypoint"],
        "early": early,
        "name": wrapper.training_job_name(),
        "ids": wrapper.get_instance_ids(timeout_in_sec=0),
        "url": wrapper.get_cloudwatch_url(),
    }


def process(session: Any, service: Any) -> dict[str, Any]:
    processor = ScriptProcessor(image_uri=IMAGE, role=ROLE, command=["python3"], sagemaker_session=session, **ONE)
    wrapper = SSHProcessorWrapper.create(processor, connection_wait_time_seconds=0)
    early = refused(wrapper.get_instance_id)
    processor.run(code=__file__, inputs=[wrapper.augmented_input()], job_name="new-process", wait=False, logs=False)
    described = service.describe_processing_job(ProcessingJobName="new-process")
    brought = next(one for one in described["ProcessingInputs"] if one["InputName"] == "sagemaker_ssh_helper")
    return {
        "variables": ours(described["Environment"]),
        "entrypoint": described["AppSpecification"]["ContainerEntrypoint"],
        "early": early,
        "ids": wrapper.get_instance_ids(timeout_in_sec=30),
        "destination": brought["S3Input"]["LocalPath"],
    }


def serve(session: Any, service: Any) -> dict[str, Any]:
    # A model without a VPC has an empty one in moto's answer, which the SDK's shapes refuse.
    session.boto_session.events.register("after-call.sagemaker.DescribeModel", _without_empty)
    builder = ModelBuilder(image_uri=IMAGE, role_arn=ROLE, sagemaker_session=session)
    wrapper = SSHModelWrapper.create(builder, connection_wait_time_seconds=0)
    early = [refused(wrapper.get_instance_ids), refused(wrapper.model_name)]
    built = builder.build(model_name="new-model")
    described = service.describe_model(ModelName=built.model_name)
    transformer = Transformer(built.model_name, output_path=S3, sagemaker_session=session, **ONE)
    transforming = SSHTransformerWrapper.create(transformer, wrapper)
    not_yet = refused(transforming.get_cloudwatch_url)
    return {
        "variables": ours(described["PrimaryContainer"]["Environment"]),
        "early": early,
        "model": wrapper.model_name() == built.model_name,
        "not_yet": not_yet,
    }


def _without_empty(parsed: dict[str, Any], **_: Any) -> None:
    for name in [name for name, value in parsed.items() if value == {}]:
        del parsed[name]


def _make_role() -> None:
    """Make the role that SDK v3 looks into before it submits anything."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    every = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam, name = boto3.client("iam"), ROLE.rpartition("/")[2]
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in (trust, every)]
    iam.create_role(RoleName=name, Path="/service-role/", AssumeRolePolicyDocument=documents[0])
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=documents[1])


def main() -> None:
    quiet()
    boto3.client("s3").create_bucket(Bucket="bucket")
    _make_role()
    session, service = Session(default_bucket="bucket"), boto3.client("sagemaker")
    write({case.__name__: case(session, service) for case in (train, process, serve)})


main()
