"""A processing job: its entrypoint replaces the image's, so `enable_ssh` puts that of sm-ssh before it."""

import os
import pathlib
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-processing:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")
ML = "/opt/ml/processing"

name = f"processing-{int(time.time())}"
s3 = boto3.client("s3")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
code = pathlib.Path(__file__).with_name("summarize.py").read_bytes()
s3.put_object(Bucket=BUCKET, Key=f"{name}/code/summarize.py", Body=code)
s3.put_object(Bucket=BUCKET, Key=f"{name}/data/rows.csv", Body=b"apples,pears\n1,10\n2,20\n3,30\n")


def given(what: str) -> dict:
    """Return the input of a folder in the bucket."""
    source = {"S3Uri": f"s3://{BUCKET}/{name}/{what}/", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": what, "S3Input": {**source, "LocalPath": f"{ML}/input/{what}"}}


output = {"S3Uri": f"s3://{BUCKET}/output/{name}", "LocalPath": f"{ML}/output", "S3UploadMode": "EndOfJob"}
request = {
    "ProcessingJobName": name,
    "AppSpecification": {
        "ImageUri": IMAGE,
        "ContainerEntrypoint": ["python3", f"{ML}/input/code/summarize.py"],
    },
    "RoleArn": ROLE,
    "ProcessingInputs": [given("code"), given("data")],
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "sums", "S3Output": output}]},
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
boto3.client("sagemaker").create_processing_job(**enable_ssh(request))

print(f"submitted: output will be s3://{BUCKET}/output/{name}/sums.json")
print(f"log in:    sm-ssh connect {name}.processing.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}.processing.sagemaker")
