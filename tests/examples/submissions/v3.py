"""Submits one of each kind by SageMaker's SDK v3 and prints their names; what they need lies in the bucket."""

# mypy: ignore-errors

import json
import os
import sys

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import IntegerParameter
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.resources import Model
from sagemaker.core.shapes import (
    ContainerDefinition,
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    StoppingCondition,
)
from sagemaker.core.training.configs import Compute, InputData
from sagemaker.core.transformer import Transformer
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

from sm_ssh_entry.sdk import enable_ssh

bucket, summarize = sys.argv[1:]
role = "arn:aws:iam::123456789012:role/service-role/sm-ssh-local"
session = Session(default_bucket=bucket)
machine = {"instance_count": 1, "instance_type": "ml.m5.large"}

processor = ScriptProcessor(
    image_uri=os.environ["PROCESSING"], command=["python3"], role=role, sagemaker_session=session, **machine
)
source = {"s3_data_type": "S3Prefix", "s3_input_mode": "File"}
rows = ProcessingS3Input(s3_uri=f"s3://{bucket}/rows/", local_path="/opt/ml/processing/input/data", **source)
sums = ProcessingS3Output(
    s3_uri=f"s3://{bucket}/processed", local_path="/opt/ml/processing/output", s3_upload_mode="EndOfJob"
)
enable_ssh(processor).run(
    code=summarize,
    inputs=[ProcessingInput(input_name="rows", s3_input=rows)],
    outputs=[ProcessingOutput(output_name="sums", s3_output=sums)],
    wait=False,
    logs=False,
)
data = f"s3://{bucket}/model/model.tar.gz"
builder = ModelBuilder(
    image_uri=os.environ["INFERENCE"],
    s3_model_data_url=data,
    role_arn=role,
    sagemaker_session=session,
    instance_type="ml.m5.large",
)
enable_ssh(builder).build(model_name="v3-model")
endpoint = builder.deploy(endpoint_name="v3-endpoint", initial_instance_count=1, wait=False)
plain = ContainerDefinition(image=os.environ["INFERENCE"], model_data_url=data)
Model.create(model_name="v3-plain", execution_role_arn=role, primary_container=plain)
transformer = Transformer(
    "v3-plain",
    1,
    "ml.m5.large",
    strategy="SingleRecord",
    accept="application/json",
    assemble_with="Line",
    output_path=f"s3://{bucket}/transformed",
    sagemaker_session=session,
)
enable_ssh(transformer, ssm_iam_role="service-role/sm-ssh-local")
transformer.transform(f"s3://{bucket}/numbers/", content_type="text/csv", split_type="Line", wait=False, logs=False)
trainer = ModelTrainer(
    training_image=os.environ["BYOC"],
    role=role,
    compute=Compute(volume_size_in_gb=5, **machine),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/trained"),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    trainer,
    "accuracy",
    {"max_depth": IntegerParameter(1, 6)},
    [{"Name": "accuracy", "Regex": r"accuracy on \d+ rows: ([0-9.]+)"}],
    strategy="Random",
    max_jobs=1,
    base_tuning_job_name="v3",
)
enable_ssh(tuner).tune([InputData(channel_name="train", data_source=f"s3://{bucket}/train/")], wait=False)
names = {
    "processing": processor.latest_job.processing_job_name,
    "inference": "v3-endpoint",
    "transform": transformer.latest_transform_job.transform_job_name,
    "tuning": tuner.latest_tuning_job.hyper_parameter_tuning_job_name,
}
print(json.dumps(names))
