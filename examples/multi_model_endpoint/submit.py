"""A multi-model endpoint: one container, which loads a model at its first request, and can be entered as it serves."""

import io
import os
import pathlib
import tarfile
import time

import boto3

from sm_ssh_entry.sdk import enable_ssh

# On AWS these are yours; the defaults are the local plane's.
IMAGE = os.environ.get("IMAGE", "sm-ssh-inference:debian-12")
BUCKET = os.environ.get("BUCKET", "sm-ssh-examples")
ROLE = os.environ.get("ROLE", "arn:aws:iam::123456789012:role/service-role/sm-ssh-local")

name = f"models-{int(time.time())}"
s3 = boto3.client("s3")
sagemaker = boto3.client("sagemaker")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
for model, factor in (("double", b"2"), ("triple", b"3")):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(pathlib.Path(__file__).with_name("inference.py"), "inference.py")
        entry = tarfile.TarInfo("factor")
        entry.size = len(factor)
        archive.addfile(entry, io.BytesIO(factor))
    s3.put_object(Bucket=BUCKET, Key=f"{name}/{model}.tar.gz", Body=packed.getvalue())

container = {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": f"s3://{BUCKET}/{name}/"}
sagemaker.create_model(**enable_ssh({"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}))
variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
print(f"{name} is being created", flush=True)
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 3, "MaxAttempts": 300})

runtime = boto3.client("sagemaker-runtime")
numbers = {"Body": b"1,2,3", "ContentType": "text/csv", "Accept": "application/json"}
for model in ("double", "triple"):
    answer = runtime.invoke_endpoint(EndpointName=name, TargetModel=f"{model}.tar.gz", **numbers)
    print(f"{model}:    {answer['Body'].read().decode().strip()}")
print(f"log in:    sm-ssh connect {name}.inference.sagemaker")
print(f"end:       aws sagemaker delete-endpoint --endpoint-name {name}")
