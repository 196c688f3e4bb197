"""SageMaker's Python SDK, version 2: one line more than without SSH."""

import os
import pathlib

from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.s3 import S3Uploader
from sagemaker.session import Session

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-training:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")

session = Session(default_bucket=BUCKET)
where = f"s3://{session.default_bucket()}/sdk-v2"
points = "\n".join(f"{x / 10},{2 * x / 10}" for x in range(1, 20))
S3Uploader.upload_string_as_file_body(points, f"{where}/train/points.csv", sagemaker_session=session)

estimator = Estimator(
    image_uri=IMAGE,
    entry_point="train.py",
    source_dir=str(pathlib.Path(__file__).resolve().parent),
    hyperparameters={"epochs": 5},
    role=ROLE,
    instance_count=1,
    instance_type="ml.m5.large",
    output_path=f"{where}/output",
    code_location=f"{where}/code",
    base_job_name="sdk-v2",
    sagemaker_session=session,
)
enable_ssh(estimator)
estimator.fit({"train": TrainingInput(f"{where}/train/")}, wait=False)

name = estimator.latest_training_job.name
print(f"submitted: model will be {where}/output/{name}/output/model.tar.gz")
print(f"log in:    sm-ssh connect {name}.training.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}.training.sagemaker")
