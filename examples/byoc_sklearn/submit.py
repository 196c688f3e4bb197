"""Training in an image of your own, which has `train` on its PATH and knows nothing of SSH."""

import os
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-byoc:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")

name = f"byoc-{int(time.time())}"
s3 = boto3.client("s3")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
rows = [f"{x},{y},{'above' if y > x else 'below'}" for x in range(10) for y in range(10)]
s3.put_object(Bucket=BUCKET, Key=f"{name}/train/points.csv", Body="\n".join(["x,y,side", *rows]).encode())

request = {
    "TrainingJobName": name,
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "HyperParameters": {"max_depth": "4"},
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
