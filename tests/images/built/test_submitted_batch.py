"""Processing and transform jobs that are submitted by boto3, in containers: entered by ssh, their outputs in S3."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.end_to_end.batch_jobs import BUCKET, Service
from tests.end_to_end.machine import Machine
from tests.images.built import family
from tests.images.built.local_runs import on_engine
from tests.waiting import wait_until

pytestmark = pytest.mark.images(family.PROCESSING)

PREFIX = ("/opt/sm-ssh/bin/sm-ssh-entry", "--")
SSH = {"START_SSH": "true", "SSH_SSM_ROLE": "service-role/sm-ssh-local", "SSH_WAIT_TIME_SECONDS": "300"}
# What a node finds, and what it can reach.
LOOK = """\
import json, os, pathlib, sys
root = pathlib.Path("/opt/ml/processing")
host = json.loads(pathlib.Path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
routes = [line.split() for line in pathlib.Path("/proc/net/route").read_text().splitlines()[1:]]
seen = {
    "first": pathlib.Path("/proc/1/cmdline").read_text().split("\\0")[:-1],
    "data": sorted(path.name for path in (root / "any" / "where").iterdir()),
    "names": sorted(os.environ),
    "ways out": [route for route in routes if route[1] == "00000000"],
    "words": sys.argv[1:],
}
(root / "any" / "where" / "own").write_text("inputs can be written to")
(root / "made" / "deep").mkdir()
(root / "made" / "deep" / f"{host}.json").write_text(json.dumps(seen))
pathlib.Path("/opt/ml/output/message").write_text(host)
"""
SERVE = """\
#!/usr/bin/env python3
import os, pathlib, signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
factor = int(pathlib.Path("/opt/ml/model/factor").read_text())
try:
    pathlib.Path("/opt/ml/model/other").write_text("")
except OSError:
    factor *= 10
class Model(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, "")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = f"{os.environ['SAGEMAKER_BATCH']} {os.environ['OWN']}"
        self.answer(200, "\\n".join(f"{factor * int(line)} {said}" for line in body.split()))
    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(("", 8080), Model).serve_forever()
"""


@pytest.fixture
def service(image: str, machine: Machine, derive: Callable[[str, str], str]) -> Iterator[Service]:
    """Return a plane's APIs, with all jobs of this module under way: they run side by side."""
    service = Service(machine.env, image=image)
    try:
        service.put(data__a_csv="1", data__b_csv="2", lists__x="x")
        manifest = json.dumps([{"prefix": f"s3://{BUCKET}/lists/"}, "x"])
        service.s3.put_object(Bucket=BUCKET, Key="lists/manifest", Body=manifest)
        service.process("held", LOOK, prefix=PREFIX, Environment=SSH)
        service.model(
            "model", derive(image, f"COPY --chmod=755 <<'SERVE' /usr/local/bin/serve\n{SERVE}SERVE"), factor="3"
        )
        service.put(lines__a_txt="1\n2\n", lines__b_txt="5\n", lines__deep__c_txt="7\n")
        service.transform(
            "batch",
            "lines/",
            given={"SplitType": "Line"},
            made={"AssembleWith": "Line"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 2},
            Environment={**SSH, "OWN": "job"},
        )
        one = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}
        service.process("plain", LOOK, ProcessingResources=one, NetworkConfig={"EnableNetworkIsolation": True})
        # The image's own ENTRYPOINT stays where only arguments are given.
        own = {"ImageUri": image, "ContainerArguments": ["/bin/false"]}
        service.process("own", LOOK, ProcessingResources=one, AppSpecification=own)
        yield service
    finally:
        for kind in ("processing", "transform"):
            noun = f"{kind.capitalize()}Job"
            listed = getattr(service.sagemaker, f"list_{kind}_jobs")(StatusEquals="InProgress")[f"{noun}Summaries"]
            for job in listed:
                getattr(service.sagemaker, f"stop_{kind}_job")(**{f"{noun}Name": job[f"{noun}Name"]})
        wait_until(lambda: not on_engine(machine.folder), 60, every=0.2, what="nothing left on the engine")
        service.close()


def entered(machine: Machine, host: str, *words: str) -> str:
    """Run a command over ssh; return its output."""
    done = machine.run("run", host, "--", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_jobs_are_entered_while_they_are_held_and_run_what_their_requests_say(
    service: Service, machine: Machine
) -> None:
    processing_is_entered(service, machine)
    transform_is_entered(service, machine)
    processing_runs_its_request_and_nothing_else(service)


def processing_is_entered(service: Service, machine: Machine) -> None:
    host = "held.processing.sagemaker"
    for node, file in (("algo-1", "a.csv"), ("algo-2", "b.csv")):
        ready = machine.run("wait", f"{node}.{host}", "--timeout", "150", timeout=160)
        assert ready.returncode == 0, ready.stderr
        assert service.described("processing", "held")["Status"] == "InProgress"
        assert service.objects("held/made") == {}
        look = "ls /opt/ml/processing/any/where; sm-wait stop"
        assert entered(machine, f"{node}.{host}", "sh", "-c", look).split()[0] == file
    found = service.ended("processing", "held")
    assert (found["Status"], found["ExitMessage"]) == ("Completed", "algo-1algo-2")
    made = {name: json.loads(text) for name, text in service.objects("held/made").items()}
    assert list(made) == ["deep/algo-1.json", "deep/algo-2.json"]
    assert made["deep/algo-2.json"]["data"] == ["b.csv"]


def transform_is_entered(service: Service, machine: Machine) -> None:
    nodes = functools.partial(_nodes, machine, "batch")
    online = wait_until(lambda: nodes() if len(nodes()) == 2 else None, 150, what="both instances are online")
    assert service.objects("batch") == {}
    for node in online:
        assert machine.run("wait", node, "--timeout", "180", timeout=210).returncode == 0
        assert entered(machine, node, "sh", "-c", "cat /opt/ml/model/factor; sm-wait stop").startswith("3")
    found = service.ended("transform", "batch")
    assert (found["Status"], found.get("FailureReason", "")) == ("Completed", "")
    # Ten times the factor, for the model cannot be written to.
    assert service.objects("batch") == {
        "a.txt.out": b"30 true job\n60 true job\n",
        "b.txt.out": b"150 true job\n",
        "deep/c.txt.out": b"210 true job\n",
    }
    group = "/aws/sagemaker/TransformJobs"
    listed = service.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="batch/")["logStreams"]
    streams = [one["logStreamName"] for one in listed]
    assert (len(streams), sum(name.endswith("/data-log") for name in streams)) == (4, 2)


def processing_runs_its_request_and_nothing_else(service: Service) -> None:
    found = service.ended("processing", "plain")
    assert (found["Status"], found.get("FailureReason")) == ("Completed", None)
    seen = json.loads(service.objects("plain/made")["deep/algo-1.json"])
    assert seen["first"] == ["python3", "/opt/ml/processing/in/code/script.py", "--all", "/opt/ml/processing/any"]
    # An isolated job has no keys and no way out.
    assert [name for name in seen["names"] if name.startswith(("AWS_", "START_SSH", "SM_SSH_"))] == []
    assert seen["ways out"] == []
    found = service.ended("processing", "own")
    assert found["FailureReason"] == "AlgorithmError: See job logs for more information"


def _nodes(machine: Machine, job: str) -> list[str]:
    listed: list[dict[str, Any]] = json.loads(machine.run("list", "--output", "json").stdout)
    return [one["node_id"] for one in listed if job in json.dumps(one)]
