"""What is submitted by SageMaker's SDKs runs on a plane: one of each kind, entered by ssh, with its results in S3.

Training by an SDK is an example of its own.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from tests.examples.user import EXAMPLES, PATIENCE, User, opened
from tests.images.built import engine, family
from tests.images.built.conftest import lacking
from tests.sdk import environments
from tests.waiting import wait_until

IMAGES = {"PROCESSING": family.PROCESSING, "INFERENCE": family.INFERENCE, "BYOC": family.BYOC}
ROWS = [f"{x},{y},{'above' if y > x else 'below'}" for x in range(10) for y in range(10)]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    with opened(tmp_path_factory.mktemp("kinds")) as user:
        yield user


def model() -> bytes:
    """Return a model.tar.gz of the example's code and the factor 3."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(EXAMPLES / "batch_transform" / "inference.py", "code/inference.py")
        factor = tarfile.TarInfo("factor")
        factor.size = 1
        archive.addfile(factor, io.BytesIO(b"3"))
    return packed.getvalue()


def fill(user: User, bucket: str) -> None:
    """Put into a bucket what the jobs need."""
    user.s3.create_bucket(Bucket=bucket)
    for key, body in {
        "model/model.tar.gz": model(),
        "numbers/numbers.csv": b"1,2\n3,4\n",
        "rows/rows.csv": b"apples,pears\n1,10\n",
        "train/points.csv": "\n".join(["x,y,side", *ROWS]).encode(),
    }.items():
        user.s3.put_object(Bucket=bucket, Key=key, Body=body)


def processed(user: User, bucket: str, name: str) -> None:
    host = f"{name}.processing.sagemaker"
    assert "apples" in user.ssh(host, "cat", "/opt/ml/processing/input/data/rows.csv")
    user.release(host)
    user.completed(name, "Processing")
    assert json.loads(user.object(f"s3://{bucket}/processed/sums.json")) == {"apples": 1, "pears": 10}


def served(user: User, name: str) -> None:
    found = user.sagemaker.get_waiter("endpoint_in_service")
    found.wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": int(PATIENCE)})
    keys = {"endpoint_url": user.machine.env["AWS_ENDPOINT_URL"], "region_name": user.machine.env["AWS_REGION"]}
    keys |= {f"aws_{word}": user.machine.env[f"AWS_{word.upper()}"] for word in ("access_key_id", "secret_access_key")}
    runtime = boto3.client("sagemaker-runtime", **keys)
    answer = runtime.invoke_endpoint(EndpointName=name, Body=b"1,2", ContentType="text/csv", Accept="application/json")
    assert json.loads(answer["Body"].read()) == [3, 6]
    runtime.close()
    assert user.ssh(f"{name}.inference.sagemaker", "cat", "/opt/ml/model/factor") == "3"
    user.sagemaker.delete_endpoint(EndpointName=name)


def transformed(user: User, bucket: str, name: str) -> None:
    host = f"{name}.transform.sagemaker"
    assert user.ssh(host, "cat", "/opt/ml/model/factor") == "3"
    user.release(host)
    user.completed(name, "Transform")
    answers = user.object(f"s3://{bucket}/transformed/numbers.csv.out").splitlines()
    assert [json.loads(one) for one in answers] == [[3, 6], [9, 12]]


def tuned(user: User, name: str) -> None:
    # One trial alone: the tuning job's own name leads to it.
    def started() -> str:
        found = user.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        return next((str(one["TrainingJobName"]) for one in found["TrainingJobSummaries"]), "")

    host = f"{wait_until(started, PATIENCE, every=0.3, what='a trial')}.training.sagemaker"
    assert "max_depth" in user.ssh(host, "cat", "/opt/ml/input/config/hyperparameters.json")
    done = user.machine.run("run", f"{name}.training.sagemaker", "--", "which", "train", timeout=PATIENCE)
    assert done.stdout.strip() == "/opt/program/train", done.stderr
    user.release(host)
    found = user.completed(name, "HyperParameterTuning")
    assert found["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] > 0.5


@pytest.mark.parametrize("version", environments.VERSIONS)
def test_one_of_each_kind_runs_and_is_entered(version: str, user: User) -> None:
    python, bucket = environments.python(version), f"kinds-{version}"
    images = {word: family.tag(name) for word, name in IMAGES.items()}
    missing = [tag for tag in images.values() if not engine.has_image(tag)]
    if missing:
        lacking(f"no image {missing[0]} here (make images builds it)")
    fill(user, bucket)
    script = Path(__file__).with_name("submissions") / f"{version}.py"
    done = user.machine.call(
        [python, str(script), bucket, str(EXAMPLES / "processing" / "summarize.py")], env=images, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = json.loads(done.stdout.splitlines()[-1])
    with ThreadPoolExecutor() as pool:
        running = (
            pool.submit(processed, user, bucket, names["processing"]),
            pool.submit(served, user, names["inference"]),
            pool.submit(transformed, user, bucket, names["transform"]),
            pool.submit(tuned, user, names["tuning"]),
        )
        for one in running:
            one.result()
