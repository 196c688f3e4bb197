"""A training job by boto3 alone, held until you have looked around in it."""

import os
import pathlib
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-training:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")

name = f"boto3-{int(time.time())}"
s3 = boto3.client("s3")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
code = pathlib.Path(__file__).with_name("train.py").read_bytes()
points = "\n".join(f"{x / 10},{3 * x / 10 + 1}" for x in range(20))
s3.put_object(Bucket=BUCKET, Key=f"{name}/code/train.py", Body=code)
s3.put_object(Bucket=BUCKET, Key=f"{name}/train/points.csv", Body=points.encode())


def channel(what: str) -> dict:
    """Return the input channel of a folder in the bucket."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/{what}/"}
    return {"ChannelName": what, "DataSource": {"S3DataSource": source}}


request = {
    "TrainingJobName": name,
    "AlgorithmSpecification": {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/train.py"],
    },
    "RoleArn": ROLE,
    "HyperParameters": {"steps": "500"},
    "InputDataConfig": [channel("code"), channel("train")],
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
boto3.client("sagemaker").create_training_job(**enable_ssh(request))

print(f"submitted: model will be s3://{BUCKET}/output/{name}/output/model.tar.gz")
print(f"log in:    sm-ssh connect {name}.training.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}.training.sagemaker")
