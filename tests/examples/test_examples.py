"""Every example runs on a plane as its README says: submitted, entered by ssh, its results in S3.

They run side by side, because they wait for the most part; each test then says how its own went.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.examples.user import EXAMPLES, PATIENCE, Submitted, User, opened
from tests.images.built import engine, family
from tests.images.built.conftest import lacking
from tests.sdk import environments
from tests.waiting import wait_until

HYPERPARAMETERS = "/opt/ml/input/config/hyperparameters.json"
AT_ONCE = 4


def boto3_only(user: User) -> None:
    job = user.submit("boto3_only", family.TRAINING)
    assert json.loads(job.ssh("cat", HYPERPARAMETERS)) == {"steps": "500"}
    job.release()
    job.completed()
    line = user.model(job.output, "line.json")
    assert (round(line["slope"], 1), round(line["offset"], 1)) == (3.0, 1.0)


def byoc_sklearn(user: User) -> None:
    job = user.submit("byoc_sklearn", family.BYOC)
    assert job.ssh("which", "train").strip() == "/opt/program/train"
    job.release()
    job.completed()
    assert user.object(job.output)[:2] == b"\x1f\x8b"


def script_mode(user: User) -> None:
    _weights(user, user.submit("script_mode", family.TRAINING))


def sdk_v2(user: User) -> None:
    _weights(user, user.submit("sdk_v2", family.TRAINING, python=environments.python("v2")))


def sdk_v3(user: User) -> None:
    _weights(user, user.submit("sdk_v3", family.TRAINING, python=environments.python("v3")))


def _weights(user: User, job: Submitted) -> None:
    assert "0.1,0.2" in job.ssh("cat", "/opt/ml/input/data/train/points.csv")
    job.release()
    job.completed()
    assert round(user.model(job.output, "weights.json")["weight"], 1) == 2.0


def multi_process(user: User) -> None:
    job = user.submit("multi_process", family.TRAINING)
    assert job.ssh("hostname").strip() == "algo-2"
    user.ssh(f"algo-1.{job.name}.training.sagemaker", "true")
    job.release(nodes=2)
    job.completed()
    assert user.model(job.output, "sum.json") == {"ranks": 4, "sum": 10}


def placeholder(user: User) -> None:
    job = user.submit("placeholder", family.TRAINING, IDLE_SECONDS="20")
    assert "sm-wait 86400" in job.ssh("cat /proc/*/cmdline | tr '\\0' ' '")
    job.completed()


def processing(user: User) -> None:
    job = user.submit("processing", family.PROCESSING)
    # What is changed while the job is held counts.
    job.ssh("sed -i s/3,30/4,40/ /opt/ml/processing/input/data/rows.csv")
    job.release()
    job.completed("Processing")
    assert json.loads(user.object(job.output)) == {"apples": 7, "pears": 70}


def batch_transform(user: User) -> None:
    job = user.submit("batch_transform", family.INFERENCE)
    assert job.ssh("cat", "/opt/ml/model/factor") == "3"
    job.release()
    job.completed("Transform")
    rows = [json.loads(line) for line in user.object(job.output).splitlines()]
    assert rows == [[3, 6], [9, 12], [15, 18]]


def multi_model_endpoint(user: User) -> None:
    endpoint = user.submit("multi_model_endpoint", family.INFERENCE)
    answers = re.findall(r"^(double|triple): +(.+)", endpoint.text, re.MULTILINE)
    assert [(name, json.loads(row)) for name, row in answers] == [("double", [2, 4, 6]), ("triple", [3, 6, 9])]
    assert endpoint.ssh("printenv", "SAGEMAKER_MULTI_MODEL").strip() == "true"
    user.sagemaker.delete_endpoint(EndpointName=endpoint.name)


def tuning(user: User) -> None:
    job = user.submit("tuning", family.BYOC)
    name = re.sub(r"-001-….*", "", job.name)

    def trials() -> list[dict[str, Any]] | None:
        found = user.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        return list(found["TrainingJobSummaries"]) if len(found["TrainingJobSummaries"]) == 2 else None

    first, second = wait_until(trials, PATIENCE, every=0.3, what="two trials")
    host = f"{first['TrainingJobName']}.training.sagemaker"
    given = json.loads(user.ssh(host, "cat", HYPERPARAMETERS))
    assert given == {"max_depth": first["TunedHyperParameters"]["max_depth"], "_tuning_objective_metric": "accuracy"}
    user.release(host)
    other = f"{second['TrainingJobName']}.training.sagemaker"
    user.ssh(other, "true")
    user.release(other)
    best = user.completed(name, "HyperParameterTuning")["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"max_depth": "6"}
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 1.0
    trial = user.sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert user.object(trial["ModelArtifacts"]["S3ModelArtifacts"])[:2] == b"\x1f\x8b"


def quickstart(user: User) -> None:
    script = (
        "import json, sys, nbformat; from nbclient import NotebookClient;"
        "book = nbformat.read(sys.argv[1], 4);"
        f"NotebookClient(book, timeout={PATIENCE:.0f}, kernel_name='python3').execute();"
        "print(nbformat.writes(book))"
    )
    done = user.machine.call(
        [sys.executable, "-c", script, str(EXAMPLES / "quickstart.ipynb")],
        env={"IMAGE": family.tag(family.TRAINING)},
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    cells = [one for one in json.loads(done.stdout)["cells"] if one["cell_type"] == "code"]
    seen = "\n".join(json.dumps(out) for cell in cells for out in cell["outputs"])
    # Each piece of the story: in the container, let go on, its end, its log with the rate as it was changed in place.
    for piece in ("algo-1", "released 1 waiting", "'Completed'", "the minimum is at 0.000000"):
        assert piece in seen, (piece, seen)


STORIES: dict[str, Callable[[User], None]] = {
    one.__name__: one
    for one in (
        # Whoever imports an SDK first, for that takes longest.
        sdk_v3,
        sdk_v2,
        multi_model_endpoint,
        batch_transform,
        tuning,
        quickstart,
        placeholder,
        multi_process,
        processing,
        script_mode,
        byoc_sklearn,
        boto3_only,
    )
}
IMAGES = {
    "byoc_sklearn": family.BYOC,
    "tuning": family.BYOC,
    "processing": family.PROCESSING,
    "batch_transform": family.INFERENCE,
    "multi_model_endpoint": family.INFERENCE,
}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    with opened(tmp_path_factory.mktemp("examples")) as user:
        yield user


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest, user: User) -> Iterator[dict[str, Future[None]]]:
    """Return the examples that were asked for, all of them under way."""
    wanted = {
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == Path(__file__) and hasattr(item, "callspec")
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(partial(story, user)) for name, story in STORIES.items() if name in wanted}


@pytest.mark.parametrize("name", STORIES)
def test_an_example_runs(name: str, stories: dict[str, Future[None]]) -> None:
    image = family.tag(IMAGES.get(name, family.TRAINING))
    if not engine.has_image(image):
        lacking(f"no image {image} here (make images builds it)")
    stories[name].result(timeout=4 * PATIENCE)
