"""Processing and transform jobs that are submitted by boto3 and run as processes: no engine is needed."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Settings
from tests.end_to_end.batch_jobs import BUCKET, Service
from tests.waiting import wait_until

# What a node says of itself: its words, files and environment, as JSON in its output folder.
LOOK = """\
import json, os, pathlib, sys
root = pathlib.Path(__file__).parents[2]
config = root.parent / "config"
host = json.loads((config / "resourceconfig.json").read_text())["current_host"]
seen = {
    "words": [word.replace(str(root), "") for word in sys.argv],
    "data": sorted(str(path.relative_to(root)) for path in (root / "any" / "where").rglob("*") if path.is_file()),
    "listed": sorted(str(path.relative_to(root)) for path in (root / "listed").rglob("*") if path.is_file()),
    "environment": {name: value for name, value in os.environ.items() if name in ("GREETING", "START_SSH")},
    "request": json.loads((config / "processingjobconfig.json").read_text()),
}
(root / "made" / f"{host}.json").write_text(json.dumps(seen))
(root / "made" / "passwd").symlink_to("/etc/passwd")
(root.parent / "output" / "message").write_text(f"{host} is done. ")
sys.exit(int(os.environ.get("STATUS", "0")))
"""
# Writes what is to go to S3 at once, and then waits to be stopped.
STAY = """\
import pathlib, signal, sys, time
def stop(*_):
    print("asked to stop", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
root = pathlib.Path(__file__).parents[2]
(root / "at-once" / "progress").write_text("half")
(root / "made" / "late").write_text("never uploaded")
while True:
    time.sleep(0.05)
"""
# A model that serves: the factor of its artifact times the first column, and the rest of the contract by variables.
SERVE = """\
#!{python}
import json, os, pathlib, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
FACTOR = int((pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "model" / "factor").read_text())
lock, now, most = threading.Lock(), 0, 0

class Model(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/ping":
            return self.answer(200, "")
        own = {{"MaxConcurrentTransforms": 3, "MaxPayloadInMB": 1, "BatchStrategy": "SINGLE_RECORD"}}
        self.answer(200, json.dumps(own))

    def do_POST(self):
        global now, most
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            now += 1
            most = max(most, now)
        # Until as many as are to come are here at the same time.
        deadline = time.monotonic() + float(os.environ.get("TOGETHER", "0"))
        while most < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        with lock:
            now -= 1
        print("asked", json.dumps(body), self.headers.get("Content-Type"), self.headers.get("Accept"), most, flush=True)
        if "bad" in body:
            return self.answer(400, "bad row")
        if "broken" in body:
            return self.answer(500, "broken")
        if "environment" in body:
            names = sorted(name for name in os.environ if "SAGEMAKER_" in name or name in ("OWN", "AWS_SESSION_TOKEN"))
            return self.answer(200, json.dumps([f"{{name}}={{os.environ[name]}}" for name in names]))
        self.answer(200, "\\n".join(str(FACTOR * int(line.split(",")[0])) for line in body.split()))

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Model).serve_forever()
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("plane")
    programs = tmp_path_factory.mktemp("programs")
    (programs / "serve").write_text(SERVE.format(python=sys.executable))
    (programs / "serve").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        with PlaneThread(settings=Settings(jobs="processes"), folder=folder) as plane:
            service = Service(plane.environment(), python=sys.executable)
            service.put(
                data__a_csv="1", data__b_csv="2", data__c_csv="3", lists__x__1="x1", lists__y__2="y2",
                lists__manifest=json.dumps([{"prefix": f"s3://{BUCKET}/lists/"}, "x/1", "y/2"]),
            )  # fmt: skip
            service.model("model", "any", factor="3")
            try:
                yield service
            finally:
                service.close()


def test_processing_reads_shares_and_writes(service: Service) -> None:
    service.process("whole", LOOK, Environment={"GREETING": "hello"}, Tags=[{"Key": "team", "Value": "x"}])
    assert service.described("processing", "whole")["Status"] == "InProgress"
    found = service.ended("processing", "whole")
    assert found["Status"] == "Completed", found
    assert found["ExitMessage"] == "algo-1 is done. algo-2 is done. "
    assert "FailureReason" not in found
    assert found["CreationTime"] < found["ProcessingStartTime"] < found["ProcessingEndTime"]
    made = service.objects("whole/made")
    # Not what a link of the job's own led to.
    assert sorted(made) == ["algo-1.json", "algo-2.json"]
    one, two = (json.loads(made[name]) for name in sorted(made))
    assert (one["data"], two["data"]) == (["any/where/a.csv", "any/where/c.csv"], ["any/where/b.csv"])
    assert one["listed"] == two["listed"] == ["listed/x/1", "listed/y/2"]
    assert one["words"][1:] == ["--all", "/any"]
    assert one["environment"] == {"GREETING": "hello"}
    request = one["request"]
    assert (request["ProcessingJobName"], request["ProcessingJobArn"]) == ("whole", found["Arn"])
    assert request["AppSpecification"]["ContainerEntrypoint"] == [
        sys.executable,
        "/opt/ml/processing/in/code/script.py",
    ]
    assert request["ProcessingInputs"][1]["S3Input"]["LocalPath"] == "/opt/ml/processing/any/where"
    assert (request["StoppingCondition"], request["Environment"]) == (None, {"GREETING": "hello"})


def test_processing_that_fails_tells_its_code_and_its_message(service: Service) -> None:
    service.process("fails", LOOK, Environment={"STATUS": "7"})
    found = service.ended("processing", "fails")
    assert found["Status"] == "Failed"
    assert found["FailureReason"] == "AlgorithmError: See job logs for more information"
    # The other node may have been stopped before it wrote its own.
    assert "is done" in found["ExitMessage"]
    assert service.objects("fails/made") == {}


def test_processing_is_stopped_and_what_goes_at_once_has_gone(service: Service) -> None:
    service.process("stays", STAY)
    wait_until(lambda: service.objects("stays/at-once").get("progress") == b"half", 60, what="uploaded while it runs")
    assert service.described("processing", "stays")["Status"] == "InProgress"
    service.sagemaker.stop_processing_job(ProcessingJobName="stays")
    assert service.ended("processing", "stays")["Status"] == "Stopped"
    assert "asked to stop" in service.log("processing", "stays")
    assert service.objects("stays/made") == {}
    with pytest.raises(ClientError, match="in status Stopped"):
        service.sagemaker.stop_processing_job(ProcessingJobName="stays")


def test_processing_has_its_time_and_no_more(service: Service) -> None:
    service.process("slow", STAY, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert service.ended("processing", "slow")["Status"] == "Stopped"


def source(**more: Any) -> list[dict[str, Any]]:
    """Return ProcessingInputs of one input that differs from a good one."""
    good = {"S3Uri": f"s3://{BUCKET}/data/", "LocalPath": "/opt/ml/processing/x", "S3DataType": "S3Prefix"}
    return [{"InputName": "one", "S3Input": {**good, "S3InputMode": "File", **more}}]


CANNOT_RUN: dict[str, tuple[dict[str, Any], str]] = {
    "empty": ({"ProcessingInputs": source(S3Uri=f"s3://{BUCKET}/none/")}, "matched no files on s3"),
    "no-bucket": ({"ProcessingInputs": source(S3Uri="s3://no-such-bucket/x")}, "matched no files on s3"),
    "pipe": ({"ProcessingInputs": source(S3InputMode="Pipe")}, "no S3InputMode Pipe"),
    "packed": ({"ProcessingInputs": source(S3CompressionType="Gzip")}, "Gzip is for S3InputMode Pipe only"),
    "outside": ({"ProcessingInputs": source(LocalPath="/opt/ml/model")}, "must be below /opt/ml/processing"),
    "above": ({"ProcessingInputs": source(LocalPath="/opt/ml/processing/../x")}, "must be below"),
    "list": (
        {"ProcessingInputs": source(S3Uri=f"s3://{BUCKET}/data/a.csv", S3DataType="ManifestFile")},
        "is no manifest file",
    ),
    "many": (
        {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 65, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            }
        },
        "65 nodes: the local plane runs 64 at the most",
    ),
    "no-command": ({"AppSpecification": {"ImageUri": "any"}}, "needs AppSpecification.ContainerEntrypoint"),
}


def test_processing_that_cannot_run_says_why(service: Service) -> None:
    for name, (more, _) in CANNOT_RUN.items():
        service.process(name, LOOK, **more)
    for name, (_, reason) in CANNOT_RUN.items():
        found = service.ended("processing", name)
        assert found["Status"] == "Failed"
        assert found["FailureReason"].startswith("ClientError: ")
        assert reason in found["FailureReason"]


def test_objects_as_they_are_go_through_the_model_side_by_side(service: Service) -> None:
    service.put(three__a_csv="1\n2\n", three__deep__b_csv="3", three__c_csv=b"4\n")
    service.transform("three-out", "three/", Environment={"TOGETHER": "20"})
    found = service.ended("transform", "three-out")
    assert found["Status"] == "Completed"
    assert found["CreationTime"] < found["TransformStartTime"] < found["TransformEndTime"]
    wanted = {"a.csv.out": b"3\n6", "deep/b.csv.out": b"9", "c.csv.out": b"12"}
    assert service.objects("three-out") == wanted
    # As many at a time as the container has asked for: the last of them saw that.
    assert service.log("transform", "three-out").splitlines()[-1].endswith(" 3")
    agreed = "MaxConcurrentTransforms=3, MaxPayloadInMB=1, BatchStrategy=SINGLE_RECORD"
    assert agreed in service.log("transform", "three-out", data=True)


def test_lines_are_split_joined_and_keep_their_order(service: Service) -> None:
    rows = "".join(f"{number},x{number}\n" for number in range(40))
    service.put(rows__data_csv_gz=gzip.compress(rows.encode()))
    service.transform(
        "rows-out",
        "rows/",
        given={"SplitType": "Line", "CompressionType": "Gzip"},
        made={"AssembleWith": "Line", "Accept": "text/csv"},
        DataProcessing={"JoinSource": "Input", "InputFilter": "$[0]", "OutputFilter": "$[1,-1]"},
        MaxConcurrentTransforms=4,
        BatchStrategy="SingleRecord",
    )
    assert service.ended("transform", "rows-out")["Status"] == "Completed"
    made = service.objects("rows-out")["data.csv.gz.out"].decode()
    assert made == "".join(f"x{number},{3 * number}\n" for number in range(40))
    asked = service.log("transform", "rows-out").splitlines()
    assert sum("asked" in line for line in asked) == 40
    assert all('\\n" text/csv text/csv' in line for line in asked if "asked" in line)


def test_many_records_in_a_request_and_the_environment_of_both(service: Service) -> None:
    service.put(many__a_csv="1\n2\n3\n", many__b_csv="environment")
    service.transform(
        "many-out",
        "many",
        given={"SplitType": "Line"},
        made={"AssembleWith": "Line"},
        BatchStrategy="MultiRecord",
        MaxPayloadInMB=2,
        Environment={"OWN": "job"},
    )
    assert service.ended("transform", "many-out")["Status"] == "Completed"
    found = service.objects("many-out")
    assert found["a.csv.out"] == b"3\n6\n9\n"
    variables = json.loads(found["b.csv.out"])
    assert {"OWN=job", "SAGEMAKER_BATCH=true", "SAGEMAKER_MAX_PAYLOAD_IN_MB=2"} <= set(variables)
    assert "SAGEMAKER_BATCH_STRATEGY=MULTI_RECORD" in variables
    assert not [one for one in variables if "CONCURRENT" in one]
    # The keys are those of the model's role, and not its owner's.
    assert [one for one in variables if one.startswith("AWS_SESSION_TOKEN=")]


def test_one_bad_object_fails_the_job_and_leaves_the_others(service: Service) -> None:
    service.put(mixed__a_csv="1\n", mixed__b_csv="bad", mixed__c_csv="2\n")
    service.transform("mixed-out", "mixed/")
    found = service.ended("transform", "mixed-out")
    assert (found["Status"], found["FailureReason"]) == ("Failed", "ClientError: See job logs for more information")
    assert service.objects("mixed-out") == {"a.csv.out": b"3", "c.csv.out": b"6"}
    said = service.log("transform", "mixed-out", data=True)
    assert f"{BUCKET}/mixed/b.csv: ClientError: 400" in said
    assert f"{BUCKET}/mixed/b.csv: bad row" in said


def test_a_model_that_breaks_is_asked_again_and_then_the_job_fails(service: Service) -> None:
    service.put(broken__a_csv="broken")
    service.transform("broken-out", "broken/", ModelClientConfig={"InvocationsMaxRetries": 1})
    found = service.ended("transform", "broken-out")
    assert (found["Status"], found["FailureReason"]) == ("Failed", "AlgorithmError: See job logs for more information")
    assert service.log("transform", "broken-out").count("asked") == 2


def test_an_object_that_is_too_large(service: Service) -> None:
    service.put(large__a_csv=b"1," + b"x" * (1024 * 1024))
    service.transform("large-out", "large/", MaxPayloadInMB=1)
    assert service.ended("transform", "large-out")["FailureReason"].startswith("ClientError: See job logs")
    assert "larger than MaxPayloadInMB" in service.log("transform", "large-out", data=True)


def test_transform_is_stopped(service: Service) -> None:
    service.put(stuck__a_csv="1\n2\n")
    service.transform("stuck-out", "stuck/", Environment={"TOGETHER": "600"})
    wait_until(lambda: "MaxConcurrent" in service.log("transform", "stuck-out", data=True), 60, what="under way")
    service.sagemaker.stop_transform_job(TransformJobName="stuck-out")
    assert service.ended("transform", "stuck-out")["Status"] == "Stopped"
    assert service.objects("stuck-out") == {}


def test_transform_without_a_model_is_refused_at_once(service: Service) -> None:
    with pytest.raises(ClientError, match="Could not find model"):
        service.transform("no-model", "data/", ModelName="no-such-model")


def test_transform_of_nothing_fails(service: Service) -> None:
    service.transform("nothing", "nowhere/")
    assert "matched no files on s3" in service.ended("transform", "nothing")["FailureReason"]


def test_transform_whose_model_cannot_serve_says_why(service: Service) -> None:
    service.model("lacking", "any", other="1")
    container = {"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/none/model.tar.gz"}
    role = service.sagemaker.describe_model(ModelName="model")["ExecutionRoleArn"]
    service.sagemaker.create_model(ModelName="gone", ExecutionRoleArn=role, PrimaryContainer=container)
    service.sagemaker.create_model(ModelName="pipeline", ExecutionRoleArn=role, Containers=[container, container])
    many = {**container, "Mode": "MultiModel"}
    service.sagemaker.create_model(ModelName="many", ExecutionRoleArn=role, PrimaryContainer=many)
    reasons = {
        # Its program ends by itself: it misses a file.
        "lacking": "AlgorithmError: See job logs for more information",
        "gone": "Failed to download model data",
        "pipeline": "ClientError: model pipeline has 2 containers",
        "many": "ClientError: model many is a multi-model one",
    }
    for name in reasons:
        service.transform(f"{name}-job", "data/", ModelName=name)
    wide = {"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}
    service.transform("wide-job", "data/", **wide)
    service.transform("filter-job", "data/", DataProcessing={"InputFilter": "$[?(@.x)]"})
    reasons |= {
        "wide": "ClientError: without a container engine a transform job has one instance",
        "filter": "ClientError: '$[?(@.x)]'",
    }
    for name, reason in reasons.items():
        found = service.ended("transform", f"{name}-job")
        assert (found["Status"], reason in found["FailureReason"]) == ("Failed", True), found
