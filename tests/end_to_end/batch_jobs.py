"""Processing and transform jobs submitted by boto3 to a plane that runs them, as processes or in containers."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import boto3

from tests.waiting import wait_until

BUCKET = "batch-data"
ROLE = "arn:aws:iam::123456789012:role/service-role/any"


class Service:
    """The plane's APIs, and jobs submitted to it.

    Args:
        found: the variables that name the plane.
        image: of the processing jobs; of no use to processes.
        python: the interpreter of their scripts.
    """

    def __init__(self, found: Mapping[str, str], *, image: str = "any", python: str = "python3") -> None:
        self.made: list[Any] = []
        self.image, self.python = image, python

        def client(service: str) -> Any:
            one = boto3.client(
                service,
                region_name=found["AWS_REGION"],
                endpoint_url=found["AWS_ENDPOINT_URL"],
                aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
            )
            self.made.append(one)
            return one

        self.s3, self.sagemaker, self.logs = client("s3"), client("sagemaker"), client("logs")
        self.s3.create_bucket(Bucket=BUCKET)

    def put(self, **objects: bytes | str) -> None:
        """Store objects; two underscores in a name are a slash, one is a dot."""
        for name, body in objects.items():
            key = name.replace("__", "/").replace("_", ".")
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Return what is below a prefix."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/").get("Contents", [])
        keys = [one["Key"] for one in listed]
        return {
            key.removeprefix(f"{prefix}/"): self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys
        }

    def process(self, name: str, script: str, *, prefix: tuple[str, ...] = (), **more: Any) -> None:
        """Submit a processing job of one script on two nodes; three inputs and two outputs.

        Args:
            name: its name.
            script: the script's text.
            prefix: what stands before the interpreter.
            more: members of the request.
        """
        self.s3.put_object(Bucket=BUCKET, Key=f"{name}/code/script.py", Body=script)

        def given(what: str, uri: str, path: str, kind: str = "S3Prefix", shared: str = "FullyReplicated") -> Any:
            member = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{path}", "S3DataType": kind}
            return {
                "InputName": what,
                "S3Input": {**member, "S3InputMode": "File", "S3DataDistributionType": shared},
            }

        def made(what: str, mode: str) -> Any:
            where = {"S3Uri": f"s3://{BUCKET}/{name}/{what}", "LocalPath": f"/opt/ml/processing/{what}"}
            return {"OutputName": what, "S3Output": {**where, "S3UploadMode": mode}}

        cluster = {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {
                "ImageUri": self.image,
                "ContainerEntrypoint": [*prefix, self.python, "/opt/ml/processing/in/code/script.py"],
                "ContainerArguments": ["--all", "/opt/ml/processing/any"],
            },
            "ProcessingResources": {"ClusterConfig": cluster},
            "ProcessingInputs": [
                given("code", f"s3://{BUCKET}/{name}/code/", "in/code"),
                given("data", f"s3://{BUCKET}/data/", "any/where", shared="ShardedByS3Key"),
                given("listed", f"s3://{BUCKET}/lists/manifest", "listed", kind="ManifestFile"),
            ],
            "ProcessingOutputConfig": {"Outputs": [made("made", "EndOfJob"), made("at-once", "Continuous")]},
        }
        self.sagemaker.create_processing_job(**request | more)

    def transform(self, name: str, source: str, *, given: Any = None, made: Any = None, **more: Any) -> None:
        """Submit a transform job with the model that is here."""
        where = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{source}"}}
        request: dict[str, Any] = {
            "TransformJobName": name,
            "ModelName": "model",
            "TransformInput": {"DataSource": where, "ContentType": "text/csv", **(given or {})},
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/{name}", **(made or {})},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        self.sagemaker.create_transform_job(**request | more)

    def described(self, kind: str, name: str) -> dict[str, Any]:
        """Return what Describe says; the kind's word stands before no member."""
        noun = f"{kind.capitalize()}Job"
        found = getattr(self.sagemaker, f"describe_{kind}_job")(**{f"{noun}Name": name})
        return {key.removeprefix(noun): value for key, value in found.items()}

    def ended(self, kind: str, name: str) -> dict[str, Any]:
        """Wait until a job has ended; return what Describe says."""

        def over() -> dict[str, Any] | None:
            found = self.described(kind, name)
            return found if found["Status"] not in ("InProgress", "Stopping") else None

        return wait_until(over, 120, what=f"{kind} job {name} has ended")

    def log(self, kind: str, name: str, *, data: bool = False) -> str:
        """Return all that a job's streams hold, or what its data-logs do."""
        group = f"/aws/sagemaker/{kind.capitalize()}Jobs"
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        lines: list[str] = []
        for stream in streams:
            if stream["logStreamName"].endswith("/data-log") == data:
                events = self.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
                lines += [event["message"] for event in events]
        return "\n".join(lines)

    def model(self, name: str, image: str, **files: str) -> None:
        """Make a model with an artifact of some files; its environment has OWN=model."""
        artifact = io.BytesIO()
        with tarfile.open(fileobj=artifact, mode="w:gz") as archive:
            for file, text in files.items():
                item = tarfile.TarInfo(file)
                item.size = len(text)
                archive.addfile(item, io.BytesIO(text.encode()))
        self.s3.put_object(Bucket=BUCKET, Key=f"{name}/model.tar.gz", Body=artifact.getvalue())
        uri = f"s3://{BUCKET}/{name}/model.tar.gz"
        container = {"Image": image, "ModelDataUrl": uri, "Environment": {"OWN": "model"}}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    def close(self) -> None:
        """Close the clients' connections."""
        for one in self.made:
            one.close()
