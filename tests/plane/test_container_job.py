"""What ``sm-ssh local run --image`` says before any container is made: no engine, wrong options. No engine needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane import containers
from sm_ssh_entry.plane.containers import Box
from tests.end_to_end.machine import Machine

NOWHERE = {"DOCKER_HOST": "tcp://127.0.0.1:9"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_engine_that_does_not_answer_is_23_and_names_the_process_way(machine: Machine) -> None:
    done = machine.run("local", "run", "--image", "any", "--", "true", env=NOWHERE)
    assert done.returncode == 23
    assert done.stderr.count("\n") == 2
    assert done.stderr.endswith("hint: to run the job as processes, without an engine: sm-ssh local run -- CMD\n")
    # Nothing was begun: no plane, no folder of the job.
    assert not (machine.folder / "local").exists()


def test_client_that_is_not_installed_is_23_too(machine: Machine) -> None:
    done = machine.run("local", "run", "--image", "any", "--", "true", env={"PATH": str(machine.folder)})
    assert done.returncode == 23
    assert "docker is not installed" in done.stderr
    assert "sm-ssh local run -- CMD" in done.stderr


def test_image_that_the_engine_lacks_is_10(machine: Machine) -> None:
    client = machine.folder / "docker"
    client.write_text("#!/bin/sh\ncase $1 in info) echo '\"26.1\"' ;; *) echo 'no such image' >&2; exit 1 ;; esac\n")
    client.chmod(0o755)
    path = {"PATH": f"{machine.folder}:{machine.env['PATH']}"}
    done = machine.run("local", "run", "--image", "no/such:image", "--", "true", env=path)
    assert done.returncode == 10
    assert "no/such:image" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--image", "any", "--native"), "--native is for jobs that run as processes"),
        (("--native", "--nodes", "2", "--", "true"), "--native with several nodes"),
        (("--native", "--kind", "processing", "--", "true"), "no way of its own into processing"),
        (("--kind", "notebook", "--nodes", "2", "--", "true"), "--kind notebook has one node"),
        (("--cpus", "2", "--", "true"), "--cpus is for containers"),
        (("--no-internet", "--", "true"), "--no-internet is for containers"),
        (("--multi-model", "--", "true"), "--multi-model is for containers"),
        (("--image", "any", "--cpus", "0"), "--cpus"),
        (("--image", "any", "--memory", "much"), "--memory 'much' is not a size"),
        (("--image", "any", "--shm-size", "-1"), "--shm-size '-1' is not a size"),
        (("--image", "any", "--gpus", "--privileged"), "--gpus '--privileged' is neither a number nor all"),
        (("--image", "any", "--port", "70000"), "70000"),
        (("--image", "any", "--port", "8080"), "--port is for --kind inference"),
        (("--image", "any", "--multi-model"), "--multi-model is for --kind inference"),
        (("--image", "any", "--kind", "serve", "--port", "8080", "--no-internet"), "--port needs a network"),
        (("--image", "any", "--kind", "serve", "--nodes", "2"), "--kind inference has one node"),
        (("--image", "any", "--kind", "serve", "--hyperparameter", "a=1"), "hyperparameters are a training job's"),
        (("--image", "any", "--kind", "serve", "--channel", "train=."), "no channel train"),
        (("--image", "any", "--kind", "notebook"), "no container"),
        (("--channel", "../up=.", "--", "true"), "'../up' cannot name a channel"),
        (("--channel", "..=.", "--", "true"), "'..' cannot name a channel"),
        (("--image=--rm",), "'--rm' cannot name an image"),
        ((), "no command to run"),
    ],
)
def test_bad_input_is_one_clear_line(machine: Machine, words: tuple[str, ...], said: str) -> None:
    done = machine.run("local", "run", *words, env=NOWHERE)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (machine.folder / "local").exists()


@pytest.mark.parametrize("size", ["4g", "512m", "1024k", "100b", "1073741824", "4G"])
def test_sizes_that_engines_take(size: str) -> None:
    assert containers.checked(Box("any", memory=size, shm_size=size)).limits() == [
        "--memory",
        size,
        "--shm-size",
        size,
    ]


def test_ports_and_no_internet_exclude_each_other() -> None:
    assert containers.checked(Box("any", port=0, internet=False))
    with pytest.raises(BadInput, match="--port"):
        containers.checked(Box("any", port=8080, internet=False))
