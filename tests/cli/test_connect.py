"""``sm-ssh connect | run | stop-waiting``: what is said without any node. Logins are tested with the connect room."""

from __future__ import annotations

import pytest

from tests.connect.world import Laptop


def test_connect_wants_a_name(laptop: Laptop) -> None:
    done = laptop.run("connect")
    assert done.returncode == 2
    assert "hint" in done.stderr


@pytest.mark.parametrize("words", [["--print-config"], ["j.training.sagemaker", "--print-config"]])
def test_print_config(laptop: Laptop, words: list[str]) -> None:
    done = laptop.run("connect", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        'Host *.sagemaker mi-????????????????? "!*\'*"' if len(words) == 1 else "Host j.training.sagemaker"
    )
    assert "StrictHostKeyChecking yes" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["connect", "my-job"],
        ["connect", "j.training.sagemaker", "-Z"],
        ["run", "my-job", "true"],
        ["run", "j.training.sagemaker"],
        ["stop-waiting", "j"],
        ["wait", "j"],
    ],
)
def test_input_that_cannot_be_right(laptop: Laptop, words: list[str]) -> None:
    done = laptop.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_no_ssh_on_this_machine(laptop: Laptop) -> None:
    laptop.make_key()
    laptop.env["PATH"] = "/nowhere"
    done = laptop.run("connect", "j.training.sagemaker")
    assert done.returncode == 23
    assert "hint: install ssh" in done.stderr


def test_stop_waiting_for_nobody(laptop: Laptop) -> None:
    done = laptop.run("stop-waiting", "j.training.sagemaker")
    assert done.returncode == 10
    assert "training job j" in done.stderr
