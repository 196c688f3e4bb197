"""Two nodes with two processes each, launched as torchrun and `accelerate launch` do it; every node can be entered."""

import os
import pathlib
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-training:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")
CODE = "/opt/ml/input/data/code"

name = f"launch-{int(time.time())}"
s3 = boto3.client("s3")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
for script in ("launch.py", "train.py"):
    body = pathlib.Path(__file__).with_name(script).read_bytes()
    s3.put_object(Bucket=BUCKET, Key=f"{name}/code/{script}", Body=body)

request = {
    "TrainingJobName": name,
    "AlgorithmSpecification": {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["python3", f"{CODE}/launch.py", "2", f"{CODE}/train.py"],
    },
    "RoleArn": ROLE,
    "InputDataConfig": [
        {
            "ChannelName": "code",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/code/"}},
        }
    ],
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
boto3.client("sagemaker").create_training_job(**enable_ssh(request))

print(f"submitted: model will be s3://{BUCKET}/output/{name}/output/model.tar.gz")
print(f"log in:    sm-ssh connect algo-2.{name}.training.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}.training.sagemaker")
