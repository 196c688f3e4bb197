"""A job without code: an instance to work on by SSH. It ends by itself when nobody has been connected for a while."""

import os
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-training:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")
IDLE_SECONDS = int(os.environ.get("IDLE_SECONDS", "1800"))

name = f"placeholder-{int(time.time())}"
request = {
    "TrainingJobName": name,
    "AlgorithmSpecification": {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        # It ends with 0, whatever ends it: `sm-wait stop`, the idle time or these seconds.
        "ContainerEntrypoint": ["sm-wait", "86400"],
    },
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 24 * 3600},
}
request = enable_ssh(request, connection_wait_time_seconds=0, idle_timeout_seconds=IDLE_SECONDS)
boto3.client("sagemaker").create_training_job(**request)

print(f"submitted: {name}, until nobody has been connected for {IDLE_SECONDS} s")
print(f"log in:    sm-ssh connect {name}.training.sagemaker")
print(f"end:       aws sagemaker stop-training-job --training-job-name {name}")
