"""Training jobs submitted by boto3 to a plane that runs them, as processes or in containers."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

import boto3

from tests.waiting import wait_until

BUCKET = "submitted"
ROLE = "arn:aws:iam::123456789012:role/Job"
GROUP = "/aws/sagemaker/TrainingJobs"
CODE = "/opt/ml/input/data/code/train.py"


class Submitter:
    """Somebody with boto3 and a plane.

    Args:
        environment: the variables that name the plane.
        image: of the jobs; of no use to processes.
    """

    def __init__(self, environment: Mapping[str, str], image: str = "none") -> None:
        self._keys = {
            "region_name": environment["AWS_REGION"],
            "endpoint_url": environment["AWS_ENDPOINT_URL"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        }
        self._image = image
        self.sagemaker, self.s3, self.logs = (self.client(name) for name in ("sagemaker", "s3", "logs"))
        self.s3.create_bucket(Bucket=BUCKET)

    def client(self, service: str) -> Any:
        """Return a client of the plane."""
        return boto3.client(service, **self._keys)

    def close(self) -> None:
        """Close the clients' connections."""
        for one in (self.sagemaker, self.s3, self.logs):
            one.close()

    def put(self, key: str, text: str | bytes) -> str:
        """Put an object into the bucket; return its address."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=text)
        return f"s3://{BUCKET}/{key}"

    def code(self, name: str, script: str) -> dict[str, Any]:
        """Put a script where a channel called code brings it; return the channel."""
        self.put(f"code/{name}/train.py", script)
        return channel("code", f"s3://{BUCKET}/code/{name}/")

    def train(self, name: str, *command: str, **more: Any) -> None:
        """Submit a job.

        Args:
            name: its name.
            command: its ContainerEntrypoint and ContainerArguments; none: the image's own, and train.
            more: members of the request; those of AlgorithmSpecification in ``algorithm``.
        """
        algorithm = {"TrainingImage": self._image, "TrainingInputMode": "File", **more.pop("algorithm", {})}
        if command:
            algorithm |= {"ContainerEntrypoint": [command[0]]}
            algorithm |= {"ContainerArguments": list(command[1:])} if command[1:] else {}
        request = {
            "TrainingJobName": name,
            "AlgorithmSpecification": algorithm,
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        }
        self.sagemaker.create_training_job(**{**request, **more})

    def described(self, name: str) -> dict[str, Any]:
        """Return what SageMaker says of a job."""
        found: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return found

    def reached(self, name: str, secondary: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for a secondary status; return what SageMaker says of the job then."""

        def there() -> dict[str, Any]:
            found = self.described(name)
            return found if found["SecondaryStatus"] == secondary else {}

        try:
            return wait_until(there, timeout, every=0.1)
        except AssertionError:
            raise AssertionError(f"{name} never was {secondary}: {self.described(name)}") from None

    def ended(self, name: str, timeout: float = 90.0) -> dict[str, Any]:
        """Wait for a job's end; return what SageMaker says of it then."""

        def over() -> dict[str, Any]:
            found = self.described(name)
            return {} if found["TrainingJobStatus"] in ("InProgress", "Stopping") else found

        return wait_until(over, timeout, every=0.1, what=f"{name} has ended")

    def ready(self, name: str, word: str, timeout: float = 60.0) -> None:
        """Wait until a node of a job has logged a word."""
        wait_until(lambda: word in "\n".join(self.log(name).values()), timeout, every=0.2, what=f"{word} of {name}")

    def log(self, name: str) -> dict[str, str]:
        """Return what each log stream of a job holds, without our own lines."""
        listed = (
            self.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/") if self._any() else {}
        )
        found = {}
        for one in listed.get("logStreams", ()):
            stream = one["logStreamName"]
            pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNames=[stream])
            lines = [event["message"] for page in pages for event in page["events"]]
            found[stream] = "\n".join(line for line in lines if not line.startswith("[sm-ssh]"))
        return found

    def said(self, name: str) -> dict[str, Any]:
        """Return the JSON that each node of a job has printed last, by node."""
        logs = {stream.split("/")[1].rpartition("-")[0]: text for stream, text in self.log(name).items()}
        return {node: json.loads(text.splitlines()[-1]) for node, text in logs.items()}

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix, without it."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return [one["Key"].removeprefix(prefix) for one in found]

    def archive(self, key: str) -> dict[str, str]:
        """Return the files of an archive with their text."""
        with self.s3.get_object(Bucket=BUCKET, Key=key)["Body"] as body:
            content = io.BytesIO(body.read())
        with tarfile.open(fileobj=content) as packed:
            members = [one for one in packed.getmembers() if one.isfile()]
            return {one.name: _text(packed, one) for one in members}

    def _any(self) -> bool:
        groups = self.logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
        return any(one["logGroupName"] == GROUP for one in groups)


def channel(
    name: str, uri: str, *, kind: str = "S3Prefix", groups: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    """Return an input channel; ``sharded=True`` for ShardedByS3Key."""
    source: dict[str, Any] = {"S3DataType": kind, "S3Uri": uri}
    source |= {"S3DataDistributionType": "ShardedByS3Key"} if more.pop("sharded", False) else {}
    source |= {"InstanceGroupNames": list(groups)} if groups else {}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


def steps(described: Mapping[str, Any]) -> list[str]:
    """Return a job's secondary statuses in their order."""
    return [one["Status"] for one in described["SecondaryStatusTransitions"]]


def _text(packed: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = packed.extractfile(member)
    assert file is not None
    with file:
        return file.read().decode()
