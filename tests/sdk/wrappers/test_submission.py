"""Wrappers around objects of the SDKs: unchanged submission code, the older names on the path, against the plane."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry import compat
from sm_ssh_entry.contract import ENTRY_PREFIX as PREFIX
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.sdk.entrypoint import stripped
from tests.connect.world import Fleet
from tests.sdk.environments import python

SCRIPTS = Path(__file__).with_name("scripts")
HOLDER = "service-role/Job"


class Told:
    """What a script has found, and the ids of the nodes that it could find."""

    def __init__(self, found: dict[str, Any], nodes: dict[str, str]) -> None:
        self.found, self.nodes = found, nodes


def told(version: str, folder: Path, nodes: dict[str, tuple[str, str, str]]) -> Told:
    """Run the script of a version against a plane of its own, with nodes: kind, job and label."""
    interpreter = python(version)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    result = folder / "found.json"
    with PlaneThread() as plane:
        fleet = Fleet(plane)
        ids = {key: fleet.add(job, label, kind=kind) for key, (kind, job, label) in nodes.items()}
        env = {**kept, "HOME": str(folder), "PYTHONPATH": str(Path(compat.__file__).parent), **plane.environment()}
        done = subprocess.run(
            [interpreter, str(SCRIPTS / f"{version}.py"), str(result)],
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return Told(json.loads(result.read_text(encoding="utf-8")), ids)


@pytest.fixture(scope="module")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Told:
    nodes = {
        "train-2": ("training", "old-train", "algo-2"),
        "train-1": ("training", "old-train", "algo-1"),
        "process": ("processing", "old-process", "algo-1"),
        "transform": ("transform", "old-transform", "algo-1"),
    }
    return told("v2", tmp_path_factory.mktemp("v2"), nodes)


def variables(wait: int, **more: str) -> dict[str, str]:
    return {"START_SSH": "true", "SSH_SSM_ROLE": HOLDER, "SSH_WAIT_TIME_SECONDS": str(wait), **more}


def holds(found: dict[str, str], wanted: dict[str, str]) -> None:
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["SSH_OWNER_TAG"]


def test_v2_an_estimator(v2: Told) -> None:
    found = v2.found["train"]
    holds(found["variables"], variables(60))
    assert found["name"] == "old-train"
    assert found["ids"] == [v2.nodes["train-1"], v2.nodes["train-2"]]
    assert found["url"].endswith("#/jobs/old-train")
    early = ["BadInput", "this Estimator has no training job yet", "call fit() or train() first"]
    assert found["early"] == [early, early]
    assert found["late"][0] == "BadInput"
    assert "submitted already (bare)" in found["late"][1]


def test_v2_a_processor_and_its_input(v2: Told) -> None:
    found = v2.found["process"]
    holds(found["variables"], variables(600))
    # In an image without our layer it runs the script all the same, which brings the package and starts SSH.
    assert stripped(found["entrypoint"])[0] == "python3" != found["entrypoint"][0]
    assert found["early"][:2] == ["BadInput", "this ScriptProcessor has no processing job yet"]
    assert found["ids"] == [v2.nodes["process"]]
    assert found["destination"] == "/opt/ml/processing/input/sagemaker_ssh_helper"
    assert found["init"] is True


def test_v2_a_model_its_endpoint_and_its_transformer(v2: Told) -> None:
    found = v2.found["serve"]
    holds(found["variables"], variables(0))
    assert found["early"][:2] == ["BadInput", "this Model has no endpoint yet"]
    assert found["without"][:2] == ["BadInput", "the model of this transformer has no SSH"]
    assert found["other"][1] == "the transformer uses model another, and SSH is on for old-model"
    assert found["endpoint"] == "old-endpoint"
    assert found["model"].endswith("#/models/old-deployed")
    assert found["transform"] == "old-transform"
    assert found["transform_ids"] == [v2.nodes["transform"]]
    assert found["wait"] == 0


def test_v2_a_multi_model_with_an_image_alone(v2: Told) -> None:
    found = v2.found["serve_many"]
    holds(found["variables"], variables(0))
    assert found["early"][:2] == ["BadInput", "this MultiDataModel has no endpoint yet"]
    assert found["endpoint"] == "old-many-endpoint"
    assert found["config"].endswith("#/endpointConfig/old-many-endpoint")


@pytest.fixture(scope="module")
def v3(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told("v3", tmp_path_factory.mktemp("v3"), {"process": ("processing", "new-process", "algo-1")})


def test_v3_a_model_trainer(v3: Told) -> None:
    found = v3.found["train"]
    holds(found["variables"], variables(60))
    assert tuple(found["entrypoint"][:4]) == PREFIX
    assert found["entrypoint"][-1] == "/bin/bash"
    assert found["early"][:2] == ["BadInput", "this ModelTrainer has no training job yet"]
    assert found["name"].startswith("new-train")
    assert found["ids"] == []
    assert found["name"] in found["url"]


def test_v3_a_processor_and_its_input(v3: Told) -> None:
    found = v3.found["process"]
    holds(found["variables"], variables(0))
    assert stripped(found["entrypoint"])[0] == "python3" != found["entrypoint"][0]
    assert found["early"][:2] == ["BadInput", "this ScriptProcessor has no processing job yet"]
    assert found["ids"] == [v3.nodes["process"]]
    assert found["destination"] == "/opt/ml/processing/input/sagemaker_ssh_helper"


def test_v3_a_model_builder_and_a_transformer_of_its_model(v3: Told) -> None:
    found = v3.found["serve"]
    holds(found["variables"], variables(0))
    assert [one[0] for one in found["early"]] == ["BadInput", "BadInput"]
    assert found["model"] is True
    assert found["not_yet"][:2] == ["BadInput", "this Transformer has no transform job yet"]
