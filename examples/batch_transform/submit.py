"""A batch transform: each line of the input goes to a container that serves the model; the answers go to S3."""

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

name = f"transform-{int(time.time())}"
s3 = boto3.client("s3")
sagemaker = boto3.client("sagemaker")
if "BUCKET" not in os.environ:
    s3.create_bucket(Bucket=BUCKET)
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w:gz") as archive:
    archive.add(pathlib.Path(__file__).with_name("inference.py"), "code/inference.py")
    factor = tarfile.TarInfo("factor")
    factor.size = 1
    archive.addfile(factor, io.BytesIO(b"3"))
s3.put_object(Bucket=BUCKET, Key=f"{name}/model.tar.gz", Body=packed.getvalue())
s3.put_object(Bucket=BUCKET, Key=f"{name}/input/numbers.csv", Body=b"1,2\n3,4\n5,6\n")

sagemaker.create_model(
    ModelName=name,
    ExecutionRoleArn=ROLE,
    PrimaryContainer={"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz"},
)
request = {
    "TransformJobName": name,
    "ModelName": name,
    "BatchStrategy": "SingleRecord",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/input/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    "TransformOutput": {
        "S3OutputPath": f"s3://{BUCKET}/output/{name}",
        "Accept": "application/json",
        "AssembleWith": "Line",
    },
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
# Named here, because a transform job's request says nothing of its model's role.
sagemaker.create_transform_job(**enable_ssh(request, ssm_iam_role=ROLE))

print(f"submitted: output will be s3://{BUCKET}/output/{name}/numbers.csv.out")
print(f"log in:    sm-ssh connect {name}.transform.sagemaker")
print(f"go on:     sm-ssh stop-waiting {name}.transform.sagemaker")
