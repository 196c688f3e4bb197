"""Scripts that start SSH by themselves: in our images, and in one without our layer, which gets it when they run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.in_script import staging
from tests.images.built import family, service
from tests.images.built.conftest import lacking
from tests.images.built.world import World

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "tests" / "in_script" / "samples"
BY_ENTRYPOINT = "SSH was started by the image's entrypoint and is "


@pytest.fixture(scope="module")
def artifacts() -> Path:
    """Return the artifacts that the images were built of: they hold the agent that the plane's containers have."""
    folder = ROOT / os.environ.get("ARTIFACTS", "images/artifacts-test")
    if not (folder / "SHA256SUMS").is_file():
        lacking(f"no artifacts in {folder}")
    return folder


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what dependency_dir() gives."""
    return staging.stage(staging.OLD, cache=tmp_path_factory.mktemp("cache"))


def sample(name: str) -> str:
    return (SAMPLES / name).read_text()


@pytest.mark.images(family.TRAINING, family.BYOC)
def test_training_scripts_of_ssh_helper_run_unchanged_in_our_image(world: World, tmp_path: Path) -> None:
    """By the training toolkit, and by a program of the user's own; the placeholder ends as nobody comes."""
    code = {name: sample(name) for name in ("train.py", "train_placeholder.py")}
    options = service.training(tmp_path, hyperparameters={}, channels={"train": {"rows": "1"}}, code=code)
    by_toolkit = "training" in world.image
    words = ["sh", "-c", "cd /opt/ml/code && python3 train.py && exec python3 train_placeholder.py"]
    env = {"SAGEMAKER_PROGRAM": "train.py", "PATIENCE": "1", "PAUSE": "0.2"}
    container = world.start(*(["train"] if by_toolkit else words), env=env, options=options)
    assert container.end() == 0, container.log
    assert BY_ENTRYPOINT in container.log
    assert "rank 0 has trained" in container.log
    assert by_toolkit or "nobody is here any more" in container.log
    assert service.read(container, "/opt/ml/model/model-0.txt", tmp_path) == "trained\n"


@pytest.mark.images(family.INFERENCE)
def test_inference_script_of_ssh_helper_runs_unchanged_in_our_image(world: World, tmp_path: Path) -> None:
    world.allow(r"sun\.reflect\.Reflection\.getCallerClass")
    world.allow(r"\[WARN \] .* - ((attach|terminate)IOStreams\(\)|worker pid is not available yet)")
    world.allow(r"\[WARN \] .*-stderr .*" + BY_ENTRYPOINT)
    port = service.server_port()
    files = {"model/factor": "2", "model/code/inference.py": sample("inference.py")}
    container = world.start(
        service.SERVE,
        env={**service.NO_JOB, "SAGEMAKER_BIND_TO_PORT": str(port)},
        options=service.folders(tmp_path, files),
    )
    service.wait_for_ping(container, port)
    assert service.ask(port, "/invocations", [1, 2, 3]) == (200, "[2, 4, 6]")
    container.saw(BY_ENTRYPOINT)


@pytest.mark.images(family.PROCESSING)
def test_processing_script_starts_ssh_where_the_job_replaces_the_images_entrypoint(world: World) -> None:
    options = ("--entrypoint", "python3", "--volume", f"{SAMPLES}:/opt/ml/processing/input/code:ro")
    container = world.start(
        "/opt/ml/processing/input/code/process.py", env={"SSH_WAIT_TIME_SECONDS": "60"}, options=options
    )
    container.saw("waiting up to")
    container.phase("online")
    assert "processed" not in container.log
    assert "released 1 waiting" in world.login("sm-wait", "stop").stdout
    assert container.end() == 0, container.log
    assert "processed" in container.log
    assert "Successfully registered the instance with AWS SSM using Managed instance-id: mi-" in container.log
    assert "installing" not in container.log


@pytest.mark.images(family.TRAINING)
def test_container_without_our_layer_installs_it_once_for_all_ranks_and_a_placeholder_ends_when_nobody_is_left(
    world: World, without_layer: str, artifacts: Path, beside: Path
) -> None:
    world.allow("WARNING the agent is the stand-in")
    mounts = [
        f"{SAMPLES}/train.py:/opt/ml/code/train.py:ro",
        f"{SAMPLES}/train_placeholder.py:/opt/ml/code/train_placeholder.py:ro",
        f"{beside}:/opt/ml/code/sagemaker_ssh_helper:ro",
        f"{artifacts}:/opt/ml/input/data/sm-ssh-artifacts:ro",
    ]
    ranks = "for RANK in 0 1 2 3; do export RANK; python3 train.py & done; wait; exec python3 train_placeholder.py"
    container = world.start(
        *("-c", f"cd /opt/ml/code && {ranks}"),
        env={"SSH_WAIT_TIME_SECONDS": "120", "PATIENCE": "1", "PAUSE": "0.2"},
        options=("--entrypoint", "sh", *(word for mount in mounts for word in ("--volume", mount))),
        image=without_layer,
    )
    container.saw("waiting up to 120 s", timeout=300)
    container.phase("online")
    assert "has trained" not in container.log
    assert len(world.nodes()) == 1
    world.stay(container)
    login = world.straight("sh", "-c", "printf '%s ' $TRAINING_JOB_NAME; sm-wait stop; ls -A /run/sm-ssh-build")
    assert login.stdout.split("\n")[0] == f"{world.job} [sm-ssh] released 1 waiting", login.stderr
    container.saw("somebody is connected")
    assert [f"rank {rank} has trained" in container.log for rank in range(4)] == [True] * 4
    lines = container.log.splitlines()
    assert [sum(text in line for line in lines) for text in ("installed in ", "Managed instance-id: ")] == [1, 1]
    # Three ranks, and the placeholder after them.
    assert sum("was set up by another process of this container and is online" in line for line in lines) == 4
    # The user's own Python has nothing more than before.
    assert container.inside("python3", "-c", "import importlib.util as u; print(u.find_spec('supervisor'))") == "None\n"
    world.leave()
    assert container.end() == 0, container.log
    assert "nobody is here any more" in container.log


@pytest.mark.images(family.TRAINING)
def test_container_that_lacks_everything_says_so_and_runs_on(world: World, without_layer: str, beside: Path) -> None:
    """No artifacts and no way out: one line that says what to do. As another user than root: what cannot be done."""
    world.allow(r"\[sm-ssh\] ERROR .*; the script goes on without SSH \(hint: ")
    world.allow("^Traceback ")  # SSH_ON_ERROR=fail: the script's own end

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        mounts = (f"{SAMPLES}/process.py:/opt/process.py:ro", f"{beside}:/opt/sagemaker_ssh_helper:ro")
        given = [word for mount in mounts for word in ("--volume", mount)]
        return world.run(
            *("/opt/process.py",), options=("--entrypoint", "python3", *given, *options), image=without_layer
        )

    alone = run("--env", "SSH_WAIT_TIME_SECONDS=60")
    assert alone.returncode == 0, alone.stderr
    assert "no lock names the agent" in alone.stderr
    assert "docs/in-script.md" in alone.stderr
    assert "processed" in alone.stdout
    user = run("--user", "1000")
    assert user.returncode == 0, user.stderr
    assert "SSH is not in this image, and user 1000 cannot install it; the script goes on" in user.stderr
    failing = run("--user", "1000", "--env", "SSH_ON_ERROR=fail")
    assert failing.returncode == 1
    assert "SetupFailed: SSH is not in this image, and user 1000 cannot install it" in failing.stderr
