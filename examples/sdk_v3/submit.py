"""SageMaker's Python SDK, version 3: one line more than without SSH."""

import os
import pathlib

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.shapes import OutputDataConfig, StoppingCondition
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

from sm_ssh_entry.sdk import enable_ssh, enabled

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-training:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")

session = Session(default_bucket=BUCKET)
where = f"s3://{session.default_bucket()}/sdk-v3"
points = "\n".join(f"{x / 10},{2 * x / 10}" for x in range(1, 20))
session.upload_string_as_file_body(points, BUCKET, "sdk-v3/train/points.csv")

trainer = ModelTrainer(
    training_image=IMAGE,
    source_code=SourceCode(source_dir=str(pathlib.Path(__file__).resolve().parent), entry_script="train.py"),
    hyperparameters={"epochs": 5},
    role=ROLE,
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5),
    output_data_config=OutputDataConfig(s3_output_path=f"{where}/output"),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
    base_job_name="sdk-v3",
    sagemaker_session=session,
)
enable_ssh(trainer)
trainer.train([InputData(channel_name="train", data_source=f"{where}/train/")], wait=False)

name = enabled(trainer).names[-1]
print(f"submitted: model will be {where}/output/{name}/output/model.tar.gz")
print(f"log in:    sm-ssh connect {name}.training.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}.training.sagemaker")
