"""A tuning job of two trials: each trial is a training job, and each can be entered."""

import os
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-byoc:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")

name = f"tune-{int(time.time())}"
s3 = boto3.client("s3")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
rows = [f"{x},{y},{'above' if y > x else 'below'}" for x in range(10) for y in range(10)]
s3.put_object(Bucket=BUCKET, Key=f"{name}/train/points.csv", Body="\n".join(["x,y,side", *rows]).encode())

request = {
    "HyperParameterTuningJobName": name,
    "HyperParameterTuningJobConfig": {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "max_depth", "Values": ["1", "6"]}]},
    },
    "TrainingJobDefinition": {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "accuracy", "Regex": r"accuracy on \d+ rows: ([0-9.]+)"}],
        },
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/train/"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
}
boto3.client("sagemaker").create_hyper_parameter_tuning_job(**enable_ssh(request))

print(f"submitted: {name}")
print("trials:    sm-ssh list --kind training")
print(f"log in:    sm-ssh connect {name}-001-….training.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}-001-….training.sagemaker")
