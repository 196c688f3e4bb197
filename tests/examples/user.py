"""Somebody who runs examples: submits one as its README says, logs in, lets it go on, reads what it made from S3."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from tests.end_to_end.machine import Machine
from tests.images.built import engine, family
from tests.images.built.conftest import lacking
from tests.images.built.local_runs import on_engine
from tests.waiting import wait_until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# On a busy machine with two processors eleven examples at once take their time.
PATIENCE = 150.0
_RUNNING = ("InProgress", "Stopping")


class User:
    """A user's machine and clients of its plane.

    Args:
        machine: its plane runs, and its environment is taken over.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        keys = {
            "region_name": machine.env["AWS_REGION"],
            "endpoint_url": machine.env["AWS_ENDPOINT_URL"],
            "aws_access_key_id": machine.env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": machine.env["AWS_SECRET_ACCESS_KEY"],
        }
        self.s3, self.sagemaker = boto3.client("s3", **keys), boto3.client("sagemaker", **keys)

    def close(self) -> None:
        """Close the clients' connections."""
        self.s3.close()
        self.sagemaker.close()

    def submit(self, example: str, image: str, *, python: str = sys.executable, **variables: str) -> Submitted:
        """Run an example's script as its README says.

        Args:
            example: its folder.
            image: one of ``family``.
            python: the interpreter that has what the script imports.
            variables: the environment, on top of the plane's.
        """
        done = self.machine.call(
            [python, str(EXAMPLES / example / "submit.py")],
            env={"IMAGE": family.tag(image), **variables},
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Submitted(self, done.stdout)

    def ssh(self, host: str, *command: str) -> str:
        """Wait until a name can be reached, run a command there, and return its output."""
        done = self.machine.run("wait", host, "--timeout", str(int(PATIENCE)), timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        done = self.machine.run("run", host, "--", *command, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def release(self, host: str, nodes: int = 1) -> None:
        """Let a held job begin."""
        done = self.machine.run("stop-waiting", host, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).count("released 1 waiting") == nodes, done.stdout + done.stderr

    def completed(self, name: str, kind: str = "Training") -> dict[str, Any]:
        """Wait for a job's end, which must be a good one; return what SageMaker says of it.

        Args:
            name: the job's.
            kind: ``Training`` and the like, as Describe calls it.
        """
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
        describe = getattr(self.sagemaker, f"describe_{words}_job")

        def over() -> dict[str, Any] | None:
            found: dict[str, Any] = describe(**{f"{kind}JobName": name})
            return found if found[f"{kind}JobStatus"] not in _RUNNING else None

        found = wait_until(over, PATIENCE, every=0.3, what=f"{name} has ended")
        assert found[f"{kind}JobStatus"] == "Completed", found
        return found

    def object(self, uri: str) -> bytes:
        """Return an object of S3."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def model(self, uri: str, member: str) -> Any:
        """Return a JSON file of a model.tar.gz."""
        with tarfile.open(fileobj=io.BytesIO(self.object(uri))) as archive:
            file = archive.extractfile(member)
            assert file is not None
            return json.loads(file.read())


class Submitted:
    """What a script has printed, and what became of its job.

    Args:
        user: who submitted it.
        text: what was printed.
    """

    def __init__(self, user: User, text: str) -> None:
        self.user = user
        self.text = text
        found = re.search(r"sm-ssh connect (\S+)", text)
        assert found, text
        self.host = found.group(1)
        self.name = re.sub(r"^algo-\d+\.", "", self.host).split(".")[0]

    def ssh(self, *command: str) -> str:
        """Log in as the script said, run a command, and return its output."""
        return self.user.ssh(self.host, *command)

    def release(self, nodes: int = 1) -> None:
        """Let it begin, as the script said."""
        found = re.search(r"sm-ssh stop-waiting (\S+)", self.text)
        assert found, self.text
        self.user.release(found.group(1), nodes)

    @property
    def output(self) -> str:
        """The address that the script has named."""
        found = re.search(r"(?:model|output) will be (s3://\S+)", self.text)
        assert found, self.text
        return found.group(1)

    def completed(self, kind: str = "Training") -> None:
        """Wait for its end, which must be a good one."""
        self.user.completed(self.name, kind)


@contextmanager
def opened(folder: Path) -> Iterator[User]:
    """Give a user with a plane of their own; in the end nothing of theirs is left on the engine.

    Args:
        folder: an empty folder.
    """
    programs = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    reason = engine.missing() or (f"not installed: {', '.join(programs)}" if programs else "")
    if reason:
        lacking(reason)
    machine = Machine(folder)
    with_programs(machine)
    no_telemetry(machine)
    machine.up()
    user = User(machine)
    try:
        yield user
        # Asked for while the plane lives: what it leaves to its end would not be seen.
        wait_until(lambda: not on_engine(machine.folder), 60, every=0.2, what="nothing left on the engine")
    finally:
        user.close()
        machine.down()


def no_telemetry(machine: Machine) -> None:
    """Let the SDKs tell nobody what they do: the user's own settings file says so.

    Args:
        machine: whose home it is.
    """
    file = machine.home / ".config" / "sagemaker" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(
        "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n", encoding="utf-8"
    )


def with_programs(machine: Machine) -> None:
    """Have ``sm-ssh`` and the rest of this environment on the machine's PATH.

    Args:
        machine: the machine.
    """
    machine.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{machine.env['PATH']}"
