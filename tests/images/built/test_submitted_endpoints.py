"""Endpoints created by boto3 run in containers: many models under load while people log in and out, and what fails."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.end_to_end import serve_program
from tests.end_to_end.deployed import INSTANCE, VARIANT, Deployer
from tests.end_to_end.machine import Machine
from tests.images.built import engine, family
from tests.images.built.local_runs import on_engine
from tests.waiting import wait_until

# What comes in a model: its factor is the model.
CODE = """\
import pathlib

def model_fn(model_dir):
    return int(pathlib.Path(model_dir, "factor").read_text())

def predict_fn(data, model):
    return data * model
"""
FACTORS = {"double": 2, "triple": 3, "fourfold": 4}
CLIENTS, EACH = 8, 25
SERVERLESS = {"MemorySizeInMB": 1024, "MaxConcurrency": 5}


@pytest.fixture(scope="module")
def ssh(machine: Machine) -> dict[str, str]:
    """Return the variables of a model that turn SSH on."""
    machine.run("connect", "--print-config")  # makes the key
    key = " ".join((machine.home / ".ssh" / "sm-ssh" / "id_ed25519.pub").read_text().split()[:2])
    return {"START_SSH": "true", "SSH_AUTHORIZED_KEYS": key, "SSH_SSM_ROLE": "service-role/sm-ssh-local"}


@pytest.fixture
def deployer(image: str, machine: Machine) -> Iterator[Deployer]:
    one = Deployer(machine.env, image)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def serves(image: str, derive: Callable[[str, str], str]) -> str:
    """Return an image with a small program that serves."""
    program = "#!/opt/sm-ssh/bin/python\n" + Path(serve_program.__file__).read_text()
    label = "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true"
    return derive(image, f"{label}\nCOPY --chmod=755 <<'EOF' /usr/local/bin/serve\n{program}\nEOF")


def login(machine: Machine, host: str, *command: str) -> str:
    """Run a command over ssh; return its output."""
    done: subprocess.CompletedProcess[str] = machine.run("run", host, "--", *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.images(family.INFERENCE)
def test_three_models_under_load_from_eight_clients_while_people_log_in_and_out(
    deployer: Deployer, machine: Machine, ssh: dict[str, str]
) -> None:
    for name, factor in FACTORS.items():
        deployer.artifact(f"many-models/{name}.tar.gz", factor=str(factor), inference__py=CODE)
    environment = {**ssh, "SSH_SESSION_ID": "many-models"}
    name = deployer.deploy(
        "many-models", {"Mode": "MultiModel", "ModelDataUrl": "s3://models/many-models/", "Environment": environment}
    )
    deployer.in_service(name)
    host, over = f"{name}.inference.sagemaker", threading.Event()
    assert machine.run("wait", host, "--timeout", "180").returncode == 0

    def load(number: int) -> list[tuple[str, Any]]:
        """Invoke all models in turn; nobody has loaded any when it begins. Return what was answered wrongly."""
        runtime, wrong = deployer.client("sagemaker-runtime"), []
        for turn in range(EACH):
            model = list(FACTORS)[(number + turn) % len(FACTORS)]
            body = json.dumps([turn, number])
            try:
                answer = runtime.invoke_endpoint(
                    EndpointName=name, Body=body, ContentType="application/json", TargetModel=f"{model}.tar.gz"
                )
                with answer["Body"] as stream:
                    found = json.loads(stream.read())
            except (ClientError, BotoCoreError) as error:
                found = repr(error)
            if found != [turn * FACTORS[model], number * FACTORS[model]]:
                wrong.append((model, found))
        return wrong

    def visit() -> int:
        """Log in, look, and out again, until nobody invokes any more; return how often."""
        times = 0
        while not over.is_set() or not times:
            assert login(machine, host, "id", "-un") == "root\n"
            times += 1
        return times

    with ThreadPoolExecutor() as pool:
        visits = [pool.submit(visit) for _ in range(2)]
        clients = [pool.submit(load, number) for number in range(CLIENTS)]
        try:
            wrong = [each for one in clients for each in one.result()]
        finally:
            over.set()
        assert wrong == []
        assert all(one.result() for one in visits)
    assert len(login(machine, host, "ls", "/opt/ml/models").split()) == len(FACTORS)
    refusal = deployer.refused(name, TargetModel="absent.tar.gz")["Error"]
    assert (refusal["Code"], "key: many-models/absent.tar.gz" in refusal["Message"]) == ("ValidationError", True)
    deployer.delete(name)
    assert on_engine(machine.folder) == []


@pytest.mark.images(family.BASE_12)
def test_an_endpoint_is_entered_its_container_is_replaced_and_others_fail(
    deployer: Deployer, machine: Machine, ssh: dict[str, str], plain: str, serves: str
) -> None:
    data = {"ModelDataUrl": deployer.artifact("one.tar.gz", name="one")}
    environment = {**ssh, "SSH_SESSION_ID": "one-model", "MINE": "1"}
    one = deployer.deploy("one", {**data, "Image": serves, "Environment": environment})
    absent = deployer.deploy("absent", {"Image": "sm-ssh-test/nothing:here"})
    # Its entrypoint is ours, and finds no program of that name; the one below it has neither.
    mute = deployer.deploy("mute")
    unable = deployer.deploy("unable", {"Image": plain})
    broken = deployer.deploy("broken", {**data, "ModelDataUrl": "s3://models/none.tar.gz"})
    single = deployer.deploy("single", {"Mode": "MultiModel"})
    deployer.config(
        "alone", {"ModelName": deployer.model("alone", {**data, "Image": serves}, EnableNetworkIsolation=True)}
    )
    hosts = [{"ContainerHostname": name, "Image": serves, "Environment": {"NAME": name}} for name in ("first", "last")]
    deployer.config("series", {"ModelName": deployer.model("series", *hosts)})
    deployer.config("less", {"ModelName": "alone", "VariantName": "V", "ServerlessConfig": {**SERVERLESS}})
    others = ("alone", "series", "less")
    for name in others:
        deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    failed = (absent, mute, unable, broken, single)
    reasons = {name: deployer.reached(name, "Failed")["FailureReason"] for name in failed}
    assert reasons[absent] == "The image 'sm-ssh-test/nothing:here' does not exist."
    assert reasons[mute].startswith("The primary container for production variant AllTraffic did not pass the ping")
    assert reasons[unable].startswith(
        "CannotStartContainerError. Please ensure the model container for variant AllTraffic"
    )
    assert reasons[broken].startswith(
        'Failed to download model data for container "container_1" from URL: "s3://models/none.tar.gz".'
    )
    assert "does not contain required com.amazonaws.sagemaker.capabilities.multi-models=true" in reasons[single]
    deployer.delete(*failed)

    deployer.in_service(one)
    images = deployer.described(one)["ProductionVariants"][0]["DeployedImages"]
    assert "@sha256:" in images[0]["ResolvedImage"]
    deployer.in_service(*others)
    isolated = deployer.invoke("alone")["Body"]
    assert isolated["files"] == {"name": "one"}
    assert [name for name in isolated["environment"] if name.startswith("AWS_")] == []
    last = deployer.invoke("series")["Body"]
    assert (last["environment"]["NAME"], '"NAME": "first"' in last["body"]) == ("last", True)
    assert deployer.described("less")["ProductionVariants"][0]["CurrentServerlessConfig"] == SERVERLESS
    assert deployer.invoke("less")["InvokedProductionVariant"] == "V"
    deployer.delete(*others)
    answer = deployer.invoke(one)
    assert (answer["Body"]["files"], answer["InvokedProductionVariant"]) == ({"name": "one"}, VARIANT)
    host = f"{one}.inference.sagemaker"
    assert machine.run("wait", host, "--timeout", "180").returncode == 0
    look = "touch /opt/ml/model/x 2>/dev/null || echo read-only; echo $MINE; hostname"
    readonly, mine, first = login(machine, host, "sh", "-c", look).split()
    assert (readonly, mine) == ("read-only", "1")
    assert INSTANCE.fullmatch(first)
    engine.docker("kill", *[line.split()[0] for line in on_engine(machine.folder) if _is_container(line)])
    wait_until(lambda: deployer.counts(one) == {VARIANT: 0}, 30, every=0.05, what="the container is missed")
    wait_until(lambda: deployer.counts(one) == {VARIANT: 1}, 60, every=0.1, what="it is replaced")
    assert deployer.invoke(one)["Body"]["files"] == {"name": "one"}

    def instances() -> set[str]:
        return {stream.partition("/")[2] for stream in deployer.streams(one)}

    # Lines reach the log within a second or so.
    wait_until(lambda: len(instances()) == 2, 30, every=0.1, what="the other container's log")
    assert first in instances()
    # The one that is gone counts as online for a while; the newest is taken.
    wait_until(lambda: _nodes(machine, host) == 2, 60, every=0.3, what="the other container has registered")
    with ThreadPoolExecutor() as pool:
        stays = pool.submit(machine.run, "run", host, "--", "touch /run/in; sleep 300")
        wait_until(lambda: "in" in login(machine, host, "ls", "/run").split(), 30, every=0.1, what="somebody is in")
        deployer.delete(one)
        # Who is in when it is deleted is told at once.
        assert stays.result(timeout=120).returncode != 0
    assert on_engine(machine.folder) == []


def _nodes(machine: Machine, host: str) -> int:
    done = machine.run("list", host, "--output", "json")
    return len(json.loads(done.stdout or "[]"))


def _is_container(line: str) -> bool:
    return engine.docker("container", "inspect", line.split(maxsplit=1)[0], check=False).returncode == 0
