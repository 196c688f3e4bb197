"""Submits one of each kind by SageMaker's SDK v2 and prints their names; what they need lies in the bucket."""

# mypy: ignore-errors

import json
import os
import sys

from sagemaker.estimator import Estimator
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.session import Session
from sagemaker.tuner import HyperparameterTuner, IntegerParameter

from sm_ssh_entry.sdk import enable_ssh

bucket, summarize = sys.argv[1:]
session = Session(default_bucket=bucket)
shared = {"role": "arn:aws:iam::123456789012:role/service-role/sm-ssh-local", "sagemaker_session": session}
machine = {"instance_count": 1, "instance_type": "ml.m5.large"}

processor = ScriptProcessor(image_uri=os.environ["PROCESSING"], command=["python3"], **machine, **shared)
enable_ssh(processor).run(
    code=summarize,
    inputs=[ProcessingInput(f"s3://{bucket}/rows/", "/opt/ml/processing/input/data")],
    outputs=[ProcessingOutput("/opt/ml/processing/output", f"s3://{bucket}/processed")],
    wait=False,
    logs=False,
)
data = f"s3://{bucket}/model/model.tar.gz"
model = enable_ssh(Model(image_uri=os.environ["INFERENCE"], model_data=data, **shared))
model.deploy(1, "ml.m5.large", wait=False)
plain = Model(image_uri=os.environ["INFERENCE"], model_data=data, **shared)
transformer = plain.transformer(
    1,
    "ml.m5.large",
    strategy="SingleRecord",
    accept="application/json",
    assemble_with="Line",
    output_path=f"s3://{bucket}/transformed",
)
enable_ssh(transformer, ssm_iam_role="service-role/sm-ssh-local")
transformer.transform(f"s3://{bucket}/numbers/", content_type="text/csv", split_type="Line", wait=False, logs=False)
estimator = Estimator(image_uri=os.environ["BYOC"], output_path=f"s3://{bucket}/trained", **machine, **shared)
tuner = HyperparameterTuner(
    estimator,
    "accuracy",
    {"max_depth": IntegerParameter(1, 6)},
    [{"Name": "accuracy", "Regex": r"accuracy on \d+ rows: ([0-9.]+)"}],
    strategy="Random",
    max_jobs=1,
    base_tuning_job_name="v2",
)
enable_ssh(tuner).fit({"train": f"s3://{bucket}/train/"}, wait=False)
names = {
    "processing": processor.latest_job.job_name,
    "inference": model.endpoint_name,
    "transform": transformer.latest_transform_job.job_name,
    "tuning": tuner.latest_tuning_job.name,
}
print(json.dumps(names))
