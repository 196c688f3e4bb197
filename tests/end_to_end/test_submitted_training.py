"""Training jobs submitted to a plane without an engine: the request's command runs as processes of each node."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.plane import daemon
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Settings
from tests.end_to_end.machine import SM_SSH, processes
from tests.end_to_end.submitted import BUCKET, CODE, Submitter, channel, steps
from tests.waiting import wait_until

PYTHON = (sys.executable, CODE)
Local = Callable[..., "subprocess.CompletedProcess[str]"]
ONE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}

SEE = """
import json, os, pathlib
ml = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
data = ml / "input/data"
config = {file.stem: json.loads(file.read_text()) for file in (ml / "input/config").iterdir()}
host = config["resourceconfig"]["current_host"]
files = {one.name: sorted(str(f.relative_to(one)) for f in one.rglob("*") if f.is_file()) for one in data.iterdir()}
files = files if host != "algo-1" else {one.name: sorted(
    os.path.relpath(os.path.join(folder, name), one) for folder, _, names in os.walk(one) for name in names
) for one in data.iterdir()}
(ml / "model" / host).write_text(host)
(ml / "output/data" / host).write_text(host)
print("loss=0.5")
print("loss=0.25 and nan loss=nan")
print(json.dumps({"files": files, **config, "job": os.environ["TRAINING_JOB_NAME"], "mine": os.environ.get("MINE")}))
"""
FAIL = """
import os, pathlib, sys
ml = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
(ml / "output/failure").write_text("no gradient " + "x" * 2000)
(ml / "model/half").write_text("half")
sys.exit(7)
"""
# Until somebody stops it; its model is then what it had.
STOPPED = """
import os, pathlib, signal, sys, threading
ml = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
def stop(*_):
    (ml / "model/m").write_text("at the stop")
    print("told", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
print("up", flush=True)
threading.Event().wait()
"""
# One epoch each time that it is started; the third one completes.
SPOT = """
import os, pathlib, signal, threading
ml = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
there = ml / "checkpoints/epoch"
epoch = int(there.read_text()) + 1 if there.exists() else 1
there.write_text(str(epoch))
print("epoch", epoch, flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if epoch < 2:
    threading.Event().wait()
(ml / "model/epochs").write_text(str(epoch))
"""
# The first node fails; the others would go on.
ONE_FAILS = """
import json, os, pathlib, sys, threading
ml = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
if json.loads((ml / "input/config/resourceconfig.json").read_text())["current_host"] == "algo-2":
    sys.exit(3)
threading.Event().wait()
"""


# What differs from a job that runs, and why it fails.
UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "empty": ({"uri": f"s3://{BUCKET}/nothing/"}, "ClientError: Data download failed: No S3 objects found under"),
    "missing": ({"uri": "s3://no-such-bucket/x"}, "ClientError: Data download failed: No S3 objects found under"),
    "pipe": ({"InputMode": "Pipe"}, "ClientError: channel x: the local plane has no input mode Pipe"),
    "augmented": ({"kind": "AugmentedManifestFile"}, "ClientError: channel x: the local plane has no Augmented"),
    "isolated": ({"isolated": True}, "ClientError: EnableNetworkIsolation needs a container engine"),
    "no-program": ({"command": ()}, "ClientError: no container engine runs the image: without one the request's"),
    "regex": ({"regex": "loss=("}, "ClientError: the regular expression of a metric definition is malformed"),
    "lost": ({"command": ("/no/such/program",)}, "AlgorithmError: , exit code: 127"),
}


def submit_unfit(submitter: Submitter, name: str, given: dict[str, Any]) -> None:
    source = channel("x", given.get("uri", f"s3://{BUCKET}/data/train"), kind=given.get("kind", "S3Prefix"))
    source |= {"InputMode": given["InputMode"]} if "InputMode" in given else {}
    algorithm = {"MetricDefinitions": [{"Name": "loss", "Regex": given["regex"]}]} if "regex" in given else {}
    more = {"EnableNetworkIsolation": True} if "isolated" in given else {}
    submitter.train(name, *given.get("command", ("true",)), InputDataConfig=[source], algorithm=algorithm, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plane")


@pytest.fixture(scope="module")
def plane(folder: Path) -> Iterator[PlaneThread]:
    with PlaneThread(settings=Settings(jobs="processes"), folder=folder) as thread:
        yield thread


@pytest.fixture(scope="module")
def submitter(plane: PlaneThread) -> Iterator[Submitter]:
    one = Submitter(plane.environment())
    yield one
    one.close()


@pytest.fixture(scope="module")
def local(plane: PlaneThread, folder: Path) -> Local:
    """Run ``sm-ssh local`` on the plane, which it finds by its state file."""
    daemon.state_file(folder).write_text(json.dumps(dataclasses.asdict(plane.plane.state())))
    env = {**os.environ, "SM_SSH_LOCAL_DIR": str(folder), "COLUMNS": "200"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [*SM_SSH, "local", *words]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=180)

    return run


@pytest.fixture(scope="module", autouse=True)
def jobs(submitter: Submitter) -> None:
    """Submit all at once: a job takes two seconds, most of which it waits."""
    for number in range(5):
        submitter.put(f"data/train/{number}.csv", f"{number}\n")
    submitter.put("data/train/deep/er.csv", "6\n")
    listed = [{"prefix": f"s3://{BUCKET}/data/"}, "train/4.csv", "train/deep/er.csv"]
    manifest = submitter.put("data.manifest", json.dumps(listed))
    train = f"s3://{BUCKET}/data/train"
    groups = [("first", "ml.m5.large", 1), ("second", "ml.c5.xlarge", 2)]
    submitter.train(
        "see",
        *PYTHON,
        algorithm={"MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+|nan)"}]},
        InputDataConfig=[
            submitter.code("see", SEE),
            channel("shard", train, sharded=True, ContentType="text/csv"),
            channel("fast", train, InputMode="FastFile"),
            channel("listed", manifest, kind="ManifestFile"),
            channel("second", f"s3://{BUCKET}/data/train/1.csv", groups=("second",)),
        ],
        HyperParameters={"epochs": "3"},
        Environment={"MINE": "yes"},
        Tags=[{"Key": "team", "Value": "one"}],
        ResourceConfig={
            "VolumeSizeInGB": 1,
            "InstanceGroups": [
                {"InstanceGroupName": name, "InstanceType": kind, "InstanceCount": count}
                for name, kind, count in groups
            ],
        },
    )
    submitter.train("fail", *PYTHON, InputDataConfig=[submitter.code("fail", FAIL)])
    submitter.train("stop", *PYTHON, InputDataConfig=[submitter.code("stop", STOPPED)])
    submitter.train(
        "spot",
        *PYTHON,
        InputDataConfig=[submitter.code("spot", SPOT)],
        EnableManagedSpotTraining=True,
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/spot"},
        StoppingCondition={"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 600},
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": "NONE"},
    )
    submitter.train(
        "one-fails",
        *PYTHON,
        InputDataConfig=[submitter.code("one-fails", ONE_FAILS)],
        ResourceConfig={**ONE, "InstanceCount": 3},
    )
    code = submitter.code("stopped", STOPPED)
    submitter.train("over", *PYTHON, InputDataConfig=[code], StoppingCondition={"MaxRuntimeInSeconds": 2})
    both = {"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 3}
    submitter.train("waits", *PYTHON, InputDataConfig=[code], EnableManagedSpotTraining=True, StoppingCondition=both)
    submitter.train("killed", *PYTHON, InputDataConfig=[code])
    for name, (given, _) in UNFIT.items():
        submit_unfit(submitter, name, dict(given))


def test_every_node_finds_what_the_request_says(submitter: Submitter) -> None:
    described = submitter.ended("see")
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    said = submitter.said("see")
    assert sorted(said) == ["algo-1", "algo-2", "algo-3"]
    everything = [f"{number}.csv" for number in range(5)] + ["deep/er.csv"]
    shards = [said[node]["files"]["shard"] for node in sorted(said)]
    assert shards == [["0.csv", "3.csv"], ["1.csv", "4.csv"], ["2.csv", "deep/er.csv"]]
    for node, found in said.items():
        assert found["files"]["fast"] == everything, node
        assert found["files"]["listed"] == ["train/4.csv", "train/deep/er.csv"]
        assert found["files"].get("second") == (None if node == "algo-1" else ["1.csv"])
        assert found["hyperparameters"] == {"epochs": "3"}
        assert (found["job"], found["mine"]) == ("see", "yes")
        assert found["inputdataconfig"]["shard"] == {
            "TrainingInputMode": "File",
            "S3DistributionType": "ShardedByS3Key",
            "RecordWrapperType": "None",
            "ContentType": "text/csv",
        }
        assert found["inputdataconfig"]["fast"]["TrainingInputMode"] == "FastFile"
        cluster = found["resourceconfig"]
        assert (cluster["current_host"], cluster["hosts"]) == (node, ["algo-1", "algo-2", "algo-3"])
        first = node == "algo-1"
        assert cluster["current_group_name"] == ("first" if first else "second")
        assert cluster["current_instance_type"] == ("ml.m5.large" if first else "ml.c5.xlarge")
        assert [one["hosts"] for one in cluster["instance_groups"]] == [["algo-1"], ["algo-2", "algo-3"]]


def test_describe_tells_the_truth_about_it(submitter: Submitter) -> None:
    described = submitter.ended("see")
    assert steps(described) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all("EndTime" in one for one in described["SecondaryStatusTransitions"])
    assert described["SecondaryStatus"] == "Completed"
    model = f"s3://{BUCKET}/out/see/output/model.tar.gz"
    assert described["ModelArtifacts"] == {"S3ModelArtifacts": model}
    (metric,) = described["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 0.25)
    assert described["CreationTime"] <= described["TrainingStartTime"] < described["TrainingEndTime"]
    assert described["LastModifiedTime"] >= described["TrainingEndTime"]
    assert 1 <= described["TrainingTimeInSeconds"] == described["BillableTimeInSeconds"]
    assert submitter.archive("out/see/output/model.tar.gz") == {f"algo-{n}": f"algo-{n}" for n in (1, 2, 3)}
    assert submitter.archive("out/see/output/output.tar.gz") == {f"data/algo-{n}": f"algo-{n}" for n in (1, 2, 3)}
    tags = submitter.sagemaker.list_tags(ResourceArn=described["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "one"}]


def test_a_failure_says_what_the_job_wrote(submitter: Submitter) -> None:
    described = submitter.ended("fail")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Failed", "Failed")
    text = "no gradient " + "x" * (1024 - len("no gradient "))
    assert described["FailureReason"] == f"AlgorithmError: {text}, exit code: 7"
    assert steps(described)[-2:] == ["Uploading", "Failed"]
    # What it had is there all the same.
    assert submitter.archive("out/fail/output/model.tar.gz") == {"half": "half"}
    assert list(submitter.archive("out/fail/output/output.tar.gz")) == ["failure"]


def test_a_node_that_fails_ends_the_others(submitter: Submitter) -> None:
    described = submitter.ended("one-fails")
    assert described["FailureReason"] == "AlgorithmError: , exit code: 3"


@pytest.mark.parametrize("name", list(UNFIT))
def test_what_cannot_run_fails_with_a_reason(submitter: Submitter, name: str) -> None:
    described = submitter.ended(name)
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith(UNFIT[name][1])
    assert "Training" not in steps(described) or name == "lost"


def test_a_stopped_job_has_its_time_and_its_model(submitter: Submitter) -> None:
    submitter.ready("stop", "up")
    submitter.sagemaker.stop_training_job(TrainingJobName="stop")
    described = submitter.ended("stop")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert steps(described) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    assert submitter.archive("out/stop/output/model.tar.gz") == {"m": "at the stop"}
    # The last words of a job are not lost.
    assert next(iter(submitter.log("stop").values())).splitlines()[-1] == "told"
    with pytest.raises(submitter.sagemaker.exceptions.ClientError, match="is in status Stopped"):
        submitter.sagemaker.stop_training_job(TrainingJobName="stop")
    with pytest.raises(submitter.sagemaker.exceptions.ResourceNotFound):
        submitter.sagemaker.stop_training_job(TrainingJobName="nobody")


def test_a_job_whose_time_is_over_is_stopped(submitter: Submitter) -> None:
    described = submitter.ended("over")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert steps(described)[-3:] == ["Stopping", "Uploading", "MaxRuntimeExceeded"]


def test_a_spot_job_that_has_waited_too_long_is_stopped(submitter: Submitter) -> None:
    described = submitter.ended("waits")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert "Stopping" in steps(described)


def test_a_spot_job_starts_again_with_its_checkpoints(submitter: Submitter, local: Local, folder: Path) -> None:
    submitter.ready("spot", "epoch 1")
    # While it runs, not at its end.
    wait_until(lambda: submitter.keys("checkpoints/spot/") == ["epoch"], 20, what="the checkpoint is in S3")
    assert local("interrupt", "spot").returncode == 0
    described = submitter.ended("spot")
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    again = ["Starting", "Downloading", "Training"]
    assert steps(described) == [*again, "Interrupted", *again, "Uploading", "Completed"]
    assert sorted(submitter.log("spot").values()) == ["epoch 1", "epoch 2"]
    # CompressionType NONE: the files as they are.
    assert described["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/spot/output/model/"
    assert submitter.keys("out/spot/output/") == ["model/epochs"]
    assert sorted(one.name for one in (folder / "jobs" / "spot").iterdir()) == ["1", "2"]


def test_a_runner_that_is_killed_is_an_error_of_the_services(submitter: Submitter, folder: Path) -> None:
    submitter.ready("killed", "up")
    root = str(folder / "jobs" / "killed")

    def here(words: str, env: dict[str, str]) -> bool:
        return root in words or env.get("SM_SSH_ROOT", "").startswith(root)

    nodes = processes(here)
    assert nodes
    (runner,) = {_parent(pid) for pid in nodes if "sm_ssh_entry.plane.cell" in _words(pid)}
    os.kill(runner, signal.SIGKILL)
    described = submitter.ended("killed")
    assert described["FailureReason"].startswith("InternalServerError: We encountered an internal error.")
    wait_until(lambda: not processes(here), 20, what="nothing of the job runs any more")


def _words(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_local_jobs_shows_them_all(submitter: Submitter, local: Local) -> None:
    submitter.ended("see")
    submitter.ended("fail")
    (see,) = json.loads(local("jobs", "see", "--output", "json").stdout)
    assert (see["kind"], see["status"], see["nodes"]) == ("training", "Completed", 3)
    assert see["outputs"] == [f"s3://{BUCKET}/out/see/output/{name}.tar.gz" for name in ("model", "output")]
    assert (see["log_group"], see["command"]) == ("/aws/sagemaker/TrainingJobs", f"{sys.executable} {CODE}")
    assert (Path(see["folder"]) / "algo-3" / "opt" / "ml" / "model" / "algo-3").is_file()
    assert list(see["phases"]) == ["starting", "downloading", "training", "uploading"]
    lines = {line.split("\t")[1]: line.split("\t") for line in local("jobs").stdout.splitlines()}
    assert lines["fail"][0:4:2] == ["training", "Failed"]
    assert lines["fail"][-1].startswith("AlgorithmError: no gradient xxx")


def test_only_a_spot_job_that_trains_can_be_interrupted(submitter: Submitter, local: Local) -> None:
    submitter.ended("spot")
    assert "spot is not training, it is Completed" in local("interrupt", "spot").stderr
    submitter.ended("fail")
    assert "fail does not run on spot instances" in local("interrupt", "fail").stderr
