"""Endpoints deployed by boto3 on a plane that runs them, as processes or in containers."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.waiting import wait_until

BUCKET = "models"
ROLE = "arn:aws:iam::123456789012:role/Endpoint"
VARIANT = "AllTraffic"


def client_of(environment: Mapping[str, str], service: str) -> Any:
    """Return a client of a plane that tries once: no failure is hidden.

    Args:
        environment: the variables that name the plane.
        service: botocore's name of the service.
    """
    return boto3.client(
        service,
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment.get("AWS_SESSION_TOKEN"),
        config=Config(retries={"total_max_attempts": 1}, read_timeout=90, max_pool_connections=32),
    )


class Deployer:
    """Somebody with boto3 and a plane.

    Args:
        environment: the variables that name the plane.
        image: of the models; of no use to processes.
    """

    def __init__(self, environment: Mapping[str, str], image: str = "none") -> None:
        self._environment, self._image = environment, image
        self._made: list[Any] = []
        self.sagemaker, self.s3, self.logs = (self.client(name) for name in ("sagemaker", "s3", "logs"))
        self.runtime = self.client("sagemaker-runtime")
        self.s3.create_bucket(Bucket=BUCKET)  # again, if need be

    def client(self, service: str) -> Any:
        """Return a client of the plane."""
        made = client_of(self._environment, service)
        self._made.append(made)
        return made

    def close(self) -> None:
        """Close the clients' connections."""
        for one in self._made:
            one.close()

    def artifact(self, key: str, **files: str) -> str:
        """Put an archive into the bucket; return its address. ``__`` in a name is a dot."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name.replace("__", "."))
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=packed.getvalue())
        return f"s3://{BUCKET}/{key}"

    def model(self, name: str, *containers: Mapping[str, Any], **more: Any) -> str:
        """Create a model of containers, each of the image unless it says another; return its name."""
        given = [{"Image": self._image, **one} for one in containers or ({},)]
        members = {"PrimaryContainer": given[0]} if len(given) == 1 else {"Containers": given}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, **members, **more)
        return name

    def config(self, name: str, *variants: Mapping[str, Any]) -> str:
        """Create a configuration of variants, each of one instance unless it says otherwise; return its name."""
        usual = {"VariantName": VARIANT, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        given = [{**({} if "ServerlessConfig" in one else usual), **one} for one in variants]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=given)
        return name

    def deploy(self, name: str, *containers: Mapping[str, Any], **variant: Any) -> str:
        """Create a model, a configuration with one variant and an endpoint, all of one name; return it."""
        self.config(name, {"ModelName": self.model(name, *containers), **variant})
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return name

    def described(self, name: str) -> dict[str, Any]:
        """Return what SageMaker says of an endpoint."""
        found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return found

    def reached(self, name: str, *statuses: str, timeout: float = 90.0) -> dict[str, Any]:
        """Wait for one of some statuses; return what SageMaker says of the endpoint then."""

        def there() -> dict[str, Any]:
            found = self.described(name)
            return found if found["EndpointStatus"] in statuses else {}

        try:
            return wait_until(there, timeout, every=0.05)
        except AssertionError:
            raise AssertionError(f"{name} never was {statuses}: {self.described(name)}") from None

    def in_service(self, *names: str) -> None:
        """Wait until endpoints are in service."""
        for name in names:
            found = self.reached(name, "InService", "Failed")
            assert found["EndpointStatus"] == "InService", found["FailureReason"]

    def counts(self, name: str) -> dict[str, int]:
        """Return how many instances of each variant are in service."""
        return {one["VariantName"]: one["CurrentInstanceCount"] for one in self.described(name)["ProductionVariants"]}

    def invoke(self, name: str, body: str | bytes = b"{}", **more: Any) -> dict[str, Any]:
        """Invoke an endpoint; return its answer, with ``Body`` read as JSON."""
        answer: dict[str, Any] = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **more)
        with answer["Body"] as stream:
            return {**answer, "Body": json.loads(stream.read())}

    def refused(self, name: str, body: str | bytes = b"{}", **more: Any) -> dict[str, Any]:
        """Invoke an endpoint in vain; return the error's answer."""
        try:
            self.invoke(name, body, **more)
        except ClientError as error:
            return dict(error.response)
        raise AssertionError(f"{name} answered {body!r}")

    def delete(self, *names: str, timeout: float = 60.0) -> None:
        """Delete endpoints and wait until they are gone."""
        for name in names:
            self.sagemaker.delete_endpoint(EndpointName=name)
        for name in names:
            wait_until(lambda one=name: self._gone(one), timeout, every=0.05, what=f"{name} is gone")  # type: ignore[misc]

    def streams(self, name: str) -> dict[str, str]:
        """Return what each log stream of an endpoint holds, without our own lines."""
        group = f"/aws/sagemaker/Endpoints/{name}"
        found = {}
        for one in self.logs.describe_log_streams(logGroupName=group)["logStreams"]:
            events = self.logs.get_log_events(logGroupName=group, logStreamName=one["logStreamName"], limit=1000)
            lines = [event["message"] for event in events["events"]]
            found[one["logStreamName"]] = "\n".join(line for line in lines if not line.startswith("[sm-ssh]"))
        return found

    def _gone(self, name: str) -> bool:
        try:
            self.described(name)
        except ClientError as error:
            return "Could not find" in str(error)
        return False


def serving_folder(folder: Path, program: Path, python: str) -> str:
    """Write a program ``serve`` into a folder of its own, which belongs on PATH; return it.

    Args:
        folder: an empty folder.
        program: what it runs.
        python: an interpreter.
    """
    folder.mkdir()
    serve = folder / "serve"
    serve.write_text(f'#!/bin/sh\nexec "{python}" -I "{program}" "$@"\n')
    serve.chmod(0o755)
    return str(folder)


INSTANCE = re.compile(r"i-[0-9a-f]{17}")
