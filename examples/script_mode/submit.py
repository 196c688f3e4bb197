"""Script mode: the image's `train` (sagemaker-training) fetches the code and runs the script that a variable names."""

import io
import os
import pathlib
import tarfile
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-training:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")

name = f"script-{int(time.time())}"
s3 = boto3.client("s3")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w:gz") as archive:
    archive.add(pathlib.Path(__file__).with_name("train.py"), "train.py")
s3.put_object(Bucket=BUCKET, Key=f"{name}/sourcedir.tar.gz", Body=packed.getvalue())
points = "\n".join(f"{x / 10},{2 * x / 10}" for x in range(1, 20))
s3.put_object(Bucket=BUCKET, Key=f"{name}/train/points.csv", Body=points.encode())

request = {
    "TrainingJobName": name,
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "Environment": {"SAGEMAKER_PROGRAM": "train.py"},
    "HyperParameters": {
        "epochs": "5",
        "sagemaker_submit_directory": f"s3://{BUCKET}/{name}/sourcedir.tar.gz",
    },
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/train/"}},
        }
    ],
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
boto3.client("sagemaker").create_training_job(**enable_ssh(request))

print(f"submitted: model will be s3://{BUCKET}/output/{name}/output/model.tar.gz")
print(f"log in:    sm-ssh connect {name}.training.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}.training.sagemaker")
