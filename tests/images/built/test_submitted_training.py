"""Training jobs submitted by boto3 run in containers: reached by ssh, interrupted, failed as on the service."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.machine import Machine
from tests.end_to_end.submitted import BUCKET, Submitter, channel, steps
from tests.images.built import engine, family
from tests.images.built.local_runs import LABEL, PYTHON, on_engine
from tests.waiting import wait_until

pytestmark = pytest.mark.images(family.BASE_12)

ML = "import json, os, pathlib, socket, sys; ml = pathlib.Path('/opt/ml'); "
# Each node looks up the others, says what it is told, and goes on when somebody has come by ssh.
RANKS = (
    ML
    + """
import threading
config = json.loads((ml / "input/config/resourceconfig.json").read_text())
found = {host: socket.gethostbyname(host) for host in config["hosts"]}
print(json.dumps({"rank": config["hosts"].index(config["current_host"]), "hosts": found}), flush=True)
while not pathlib.Path("/tmp/go").exists():
    threading.Event().wait(0.1)
(ml / "model" / config["current_host"]).write_text("trained")
"""
)
FAIL = (
    ML
    + """
try:
    (ml / "input/data/fast/b").write_text("")
except OSError as error:
    (ml / "output/failure").write_text(f"fast: {error.strerror}; ")
(ml / "input/data/file/b").write_text("mine to write")
with (ml / "output/failure").open("a") as failure:
    failure.write("the loss is no number")
sys.exit(1)
"""
)
HUNGRY = "x = bytearray(10)\nwhile True: x += bytes(1 << 24)"
ALONE = (
    ML
    + """
peers = {host: socket.gethostbyname(host) for host in ("algo-1", "algo-2")}
gateway = peers["algo-1"].rpartition(".")[0] + ".1"
def reached(address):
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError as error:
        return isinstance(error, ConnectionRefusedError)
    return True
server = socket.create_server(("0.0.0.0", 9000))
import threading, time
deadline = time.monotonic() + 20
other = peers["algo-2" if socket.gethostname() == "algo-1" else "algo-1"]
while not (met := reached((other, 9000))) and time.monotonic() < deadline:
    threading.Event().wait(0.1)
print(json.dumps({"aws": sorted(name for name in os.environ if name.startswith("AWS_")), "peer": met,
    "host": reached((gateway, 22)), "world": reached(("192.0.2.1", 443))}), flush=True)
threading.Event().wait(1)
"""
)
SPOT = (
    ML
    + """
import signal, threading
there = pathlib.Path("/checkpoints/epoch")
epoch = int(there.read_text()) + 1 if there.exists() else 1
there.write_text(str(epoch))
print("epoch", epoch, flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if epoch < 2:
    threading.Event().wait()
"""
)


@pytest.fixture(scope="module")
def machine(host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a user's machine whose plane gives containers little memory."""
    machine = Machine(tmp_path_factory.mktemp("submits"))
    machine.env["SM_SSH_LOCAL_MEMORY"] = "300m"
    machine.up()
    try:
        yield machine
    finally:
        machine.down()


@pytest.fixture(scope="module")
def submitter(image: str, machine: Machine) -> Iterator[Submitter]:
    """Submit all jobs at once: each waits most of its time."""
    machine.run("connect", "--print-config")  # makes the key
    key = " ".join((machine.home / ".ssh" / "sm-ssh" / "id_ed25519.pub").read_text().split()[:2])
    ssh = {"START_SSH": "true", "SSH_AUTHORIZED_KEYS": key}
    one = Submitter(machine.env, image)
    data = one.put("data/a", "a")
    # The image's own entrypoint, with these arguments: it starts SSH. A word has 256 characters at the most.
    arguments = {"ContainerArguments": [PYTHON, "/opt/ml/input/data/code/train.py"]}

    def code(name: str, script: str) -> list[dict[str, Any]]:
        return [one.code(name, script)]

    cluster = {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    one.train(
        "ranks",
        algorithm=arguments,
        InputDataConfig=code("ranks", RANKS),
        Environment={**ssh, "SSH_INSTANCE_COUNT": "2"},
        ResourceConfig={**cluster, "InstanceCount": 4},
    )
    one.train(
        "spot",
        algorithm=arguments,
        InputDataConfig=code("spot", SPOT),
        Environment=ssh,
        EnableManagedSpotTraining=True,
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints", "LocalPath": "/checkpoints"},
        StoppingCondition={"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 600},
    )
    replaced = (PYTHON, "/opt/ml/input/data/code/train.py")
    fast, file = channel("fast", data, InputMode="FastFile"), channel("file", data)
    one.train("fail", *replaced, InputDataConfig=[*code("fail", FAIL), fast, file])
    one.train("hungry", *replaced, InputDataConfig=code("hungry", HUNGRY))
    one.train(
        "alone",
        *replaced,
        InputDataConfig=code("alone", ALONE),
        EnableNetworkIsolation=True,
        ResourceConfig={**cluster, "InstanceCount": 2},
    )
    one.train("no-image", algorithm={"TrainingImage": "sm-ssh-test/nobody-has-this:1"})
    one.train("no-program", "/no/such/program")
    one.train("sleeps", "sleep", "600")
    yield one
    one.close()


def test_four_nodes_are_reached_one_by_one(submitter: Submitter, machine: Machine) -> None:
    submitter.reached("ranks", "Training")
    host = "ranks.training.sagemaker"

    def registered() -> bool:
        listed = json.loads(machine.run("list", "training.sagemaker", "--status", "online", "--output", "json").stdout)
        return sorted(one["node"] for one in listed if one["resource"] == "ranks") == ["algo-1", "algo-2"]

    wait_until(registered, 60, every=0.5, what="two of four are registered")
    # The third one from the laptop in one command, then all of them, which lets them go on: the registered ones last,
    # for the way to the others is through them.
    config = machine.home / "config-submitted"
    config.write_text("BatchMode yes\n" + machine.run("connect", "--print-config").stdout)
    done = machine.call(["ssh", "-F", str(config), f"algo-3.{host}", "hostname; touch /tmp/go"])
    assert (done.returncode, done.stdout) == (0, "algo-3\n"), done.stderr
    for number in (4, 2, 1):
        done = machine.run("run", f"algo-{number}.{host}", "--", "touch", "/tmp/go")
        assert done.returncode == 0, done.stderr
    described = submitter.ended("ranks")
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    said = submitter.said("ranks")
    assert {node: found["rank"] for node, found in said.items()} == {f"algo-{n}": n - 1 for n in (1, 2, 3, 4)}
    (hosts,) = {json.dumps(found["hosts"]) for found in said.values()}
    assert len(set(json.loads(hosts).values())) == 4
    assert submitter.archive("out/ranks/output/model.tar.gz") == {f"algo-{n}": "trained" for n in (1, 2, 3, 4)}


def test_a_spot_interruption_gives_it_a_new_container(submitter: Submitter, machine: Machine) -> None:
    submitter.ready("spot", "epoch 1")
    wait_until(lambda: submitter.keys("checkpoints/") == ["epoch"], 30, every=0.2, what="the checkpoint is in S3")
    assert machine.run("wait", "spot.training.sagemaker", "--timeout", "180").returncode == 0
    done = machine.run("local", "interrupt", "spot")
    assert done.returncode == 0, done.stderr
    described = submitter.ended("spot")
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    again = ["Starting", "Downloading", "Training"]
    assert steps(described) == [*again, "Interrupted", *again, "Uploading", "Completed"]
    logs = submitter.log("spot")
    assert len(logs) == 2
    assert [f"epoch {n}" in text for n, (_, text) in enumerate(sorted(logs.items()), 1)] == [True, True]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fail", "AlgorithmError: fast: Read-only file system; the loss is no number, exit code: 1"),
        (
            "hungry",
            "ClientError: Please use an instance type with more memory, "
            "or reduce the size of job data processed on an instance.",
        ),
        (
            "no-image",
            "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are "
            "incorrect. (Local plane: the engine has no image sm-ssh-test/nobody-has-this:1)",
        ),
        ("no-program", "ClientError: Artifact upload failed:API error (400): "),
    ],
)
def test_a_failure_has_the_reason_that_the_service_gives(submitter: Submitter, name: str, reason: str) -> None:
    described = submitter.ended(name)
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith(reason)
    assert len(described["FailureReason"]) <= 1024 + 64
    assert name != "no-program" or '"/no/such/program"' in described["FailureReason"]


def test_an_isolated_job_has_its_peers_and_nothing_else(submitter: Submitter) -> None:
    described = submitter.ended("alone")
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    alone = {"aws": [], "peer": True, "host": False, "world": False}
    assert submitter.said("alone") == {"algo-1": alone, "algo-2": alone}


def test_local_jobs_says_what_ran(submitter: Submitter, machine: Machine) -> None:
    submitter.ended("ranks")
    (ranks,) = json.loads(machine.run("local", "jobs", "ranks", "--output", "json").stdout)
    assert (ranks["kind"], ranks["status"], ranks["nodes"]) == ("training", "Completed", 4)
    assert set(ranks["phases"]) == {"starting", "downloading", "training", "uploading"}
    assert ranks["outputs"] == [f"s3://{BUCKET}/out/ranks/output/model.tar.gz"]
    assert (Path(ranks["folder"]) / "algo-4" / "opt" / "ml" / "model" / "algo-4").read_text() == "trained"
    lines = machine.run("local", "jobs").stdout.splitlines()
    assert {line.split("\t")[1] for line in lines} >= {"ranks", "fail", "alone"}


def test_what_a_crash_has_left_is_gone_with_the_next_plane(host: None, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    folder = machine.folder / "local" / "jobs" / "left" / "1"
    folder.mkdir(parents=True)
    engine.docker("network", "create", "--label", f"{LABEL}={folder}", f"sm-ssh-left-{uuid.uuid4().hex[:6]}")
    machine.up()
    try:
        wait_until(lambda: not on_engine(machine.folder), 30, every=0.2, what="the network is gone")
    finally:
        machine.down()


def test_the_planes_end_takes_its_containers_along(submitter: Submitter, machine: Machine) -> None:
    submitter.reached("sleeps", "Training")
    wait_until(lambda: on_engine(machine.folder), 30, every=0.2)
    machine.down()
    wait_until(lambda: not on_engine(machine.folder), 30, every=0.2, what="nothing is left on the engine")
