"""The training image: a script-mode job as the service starts it, the same without our layer, held and entered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.images.built import engine, family, service
from tests.images.built.engine import Container
from tests.images.built.world import World, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.images(family.TRAINING)

OFF = {"START_SSH": "false"}
GO = "/tmp/go"
# What a data scientist writes: it knows of SageMaker's variables, and nothing of SSH.
SCRIPT = """\
import argparse, json, os, pathlib, sys, time

words = argparse.ArgumentParser()
words.add_argument("--epochs", type=int)
words.add_argument("--until")
words.add_argument("--status", type=int, default=0)
given = words.parse_args()
rows = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "rows.csv").read_text().splitlines()
print(f"training on {len(rows)} rows", flush=True)
while given.until and not os.path.exists(given.until):
    time.sleep(0.1)
seen = {
    "epochs": given.epochs,
    "environment": dict(os.environ),
    "first": pathlib.Path("/proc/1/cmdline").read_text().split("\\0"),
    "parent": os.getppid(),
}
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps(seen))
print(f"trained {given.epochs} epochs", flush=True)
sys.exit(given.status)
"""
CHANNELS = {"train": {"rows.csv": "1,2\n3,4\n5,6\n"}}


def start(world: World, root: Path, *, image: str = "", env: dict[str, str] | None = None, **more: str) -> Container:
    """Start a job whose script has hyperparameters, ``more`` on top of the epochs."""
    root.mkdir()
    options = service.training(
        root, hyperparameters={"epochs": "3", **more}, channels=CHANNELS, code={"train.py": SCRIPT}
    )
    variables = {"SAGEMAKER_PROGRAM": "train.py", **(env or {})}
    return world.start("train", env=variables, options=options, image=image)


def model(container: Container, folder: Path) -> dict[str, Any]:
    """Return what the script has written."""
    found: dict[str, Any] = json.loads(service.read(container, "/opt/ml/model/model.json", folder))
    return found


@pytest.mark.parametrize("status", [0, 7])
def test_job_with_ssh_off_is_that_of_the_image_without_the_layer(
    world: World, without_layer: str, tmp_path: Path, status: int
) -> None:
    world.allow("sagemaker-training-toolkit ERROR")
    ours = start(world, tmp_path / "ours", env=OFF, status=str(status))
    theirs = start(world, tmp_path / "theirs", env=OFF, status=str(status), image=without_layer)
    assert (ours.end(), theirs.end()) == (min(status, 1),) * 2, ours.log
    assert service.timeless(ours.log) == service.timeless(theirs.log)
    seen = model(ours, tmp_path)
    assert seen == model(theirs, tmp_path)
    assert seen["epochs"] == 3
    assert seen["parent"] == 1
    assert [Path(word).name for word in seen["first"][:2]] == ["python3", "train"]
    assert "training on 3 rows" in ours.log
    assert "SUCCESS" in ours.log or status
    files = [service.read(container, "/opt/ml/output/failure", tmp_path) for container in (ours, theirs) if status]
    assert len(set(files)) == min(status, 1)
    assert all(f"ExitCode {status}" in text for text in files)


def test_stop_lets_the_script_finish_as_without_the_layer(world: World, without_layer: str, tmp_path: Path) -> None:
    # train ignores SIGTERM as process 1: its script works on, within the two minutes that the service gives it.
    other = {"SSH_HOLD_ON_FAILURE_SECONDS": "60", "SSH_PORT": str(free_port())}
    ways = {
        "without": start(world, tmp_path / "without", env=OFF, until=GO, image=without_layer),
        "off": start(world, tmp_path / "off", env=OFF, until=GO),
        "exec": start(world, tmp_path / "exec", until=GO),
        "init": start(world, tmp_path / "init", until=GO, env=other),
    }
    for container in ways.values():
        container.saw("training on 3 rows")
    engine.docker("kill", "--signal", "TERM", *(container.name for container in ways.values()))
    for container in ways.values():
        container.inside("touch", GO)
    assert {name: container.end() for name, container in ways.items()} == dict.fromkeys(ways, 0)
    assert [name for name, container in ways.items() if "trained 3 epochs" not in container.log] == []


def test_job_is_held_entered_and_released(world: World, tmp_path: Path) -> None:
    container = start(world, tmp_path / "job", env={"SSH_WAIT_TIME_SECONDS": "300"})
    container.phase("online")
    assert "training" not in container.log
    # The toolkit's Python and the job's variables, before the toolkit has run.
    script = "import os, sagemaker_training; print(os.environ['SAGEMAKER_PROGRAM'], os.environ['PATH'].split(':')[0])"
    done = world.login("python3", "-c", script)
    assert (done.returncode, done.stdout) == (0, "train.py /opt/venv/bin\n"), done.stderr
    assert world.login("sm-wait", "stop").returncode == 0
    assert container.end() == 0, container.log
    seen = model(container, tmp_path)
    assert seen["parent"] == 1
    assert seen["environment"]["SM_HP_EPOCHS"] == "3"
    assert seen["environment"]["PATH"].split(":")[0] == "/opt/venv/bin"


def test_running_job_is_entered_and_its_script_looked_at(world: World, tmp_path: Path) -> None:
    container = start(world, tmp_path / "job", until=GO)
    container.phase("online")
    container.saw("training on 3 rows")
    # The variables that the toolkit makes belong to the script: whoever logs in finds them at its process.
    look = """
import pathlib
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    if b"train.py\\0--epochs" in (entry / "cmdline").read_bytes():
        print(*(word for word in (entry / "environ").read_text().split("\\0") if word.startswith("SM_CHANNEL_")))
"""
    done = world.login("python3", "-c", look)
    assert (done.returncode, done.stdout) == (0, "SM_CHANNEL_TRAIN=/opt/ml/input/data/train\n"), done.stderr
    assert service.zombies(container) == []


def test_failed_job_is_held_for_a_look_at_its_failure(world: World, tmp_path: Path) -> None:
    world.allow("sagemaker-training-toolkit ERROR")
    container = start(world, tmp_path / "job", status="7", env={"SSH_HOLD_ON_FAILURE_SECONDS": "300"})
    wait_until(lambda: container.phase("online").get("job") == "failed", 60, every=0.1, what="train has failed")
    done = world.login("cat", "/opt/ml/output/failure")
    assert "ExitCode 7" in done.stdout, done.stderr
    assert world.login("sm-wait", "stop").returncode == 0
    assert container.end() == 1


def test_empty_program_is_a_failure_that_says_so(world: World, tmp_path: Path) -> None:
    world.allow("sagemaker-training-toolkit ERROR")
    container = start(world, tmp_path / "job", env={**OFF, "SAGEMAKER_PROGRAM": "../train.py"})
    assert container.end() == 1
    assert "train.py" in service.read(container, "/opt/ml/output/failure", tmp_path)
