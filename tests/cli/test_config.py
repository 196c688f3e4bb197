"""``sm-ssh config`` as a process: what it says, prints and refuses. Real logins are tested end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.connect.world import Laptop


def files(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_it_says_what_it_did_and_does_nothing_twice(laptop: Laptop) -> None:
    first = laptop.run("config")
    assert first.returncode == 0
    assert [line.split()[0] for line in first.stdout.splitlines()] == [
        str(laptop.own / "config"),
        str(laptop.home / ".ssh/config"),
    ]
    before = files(laptop.home)
    assert laptop.run("config").stdout == "nothing to do: ssh knows all this already\n"
    assert files(laptop.home) == before


def test_print_changes_nothing(laptop: Laptop) -> None:
    laptop.make_key()
    done = laptop.run("config", "--print", "my-gpu", "j.training.sagemaker")
    assert done.returncode == 0
    assert "\nHost my-gpu\n" in done.stdout
    assert "\nHost *.sagemaker mi-????????????????? " in done.stdout
    assert not (laptop.home / ".ssh/config").exists()
    assert not (laptop.own / "config").exists()


def test_aliases_come_and_go(laptop: Laptop) -> None:
    laptop.env["AWS_PROFILE"] = ""
    done = laptop.run("config", "--alias", "a=j.training.sagemaker", "--alias", "b=me@k.inference.sagemaker@eu-west-1")
    assert done.returncode == 0, done.stderr
    assert laptop.run("config", "--via", "native", "c", "l.training.sagemaker").returncode == 0
    assert laptop.run("config", "--list").stdout.splitlines() == [
        "a j.training.sagemaker --region us-east-1",
        "b me@k.inference.sagemaker --region eu-west-1",
        "c l.training.sagemaker --region us-east-1 --via native",
    ]
    assert laptop.run("config", "--remove-alias", "a").returncode == 0
    listed = json.loads(laptop.run("config", "--list", "--output", "json").stdout)
    assert [(one["alias"], one["host"], one["reach"]["region"]) for one in listed] == [
        ("b", "me@k.inference.sagemaker", "eu-west-1"),
        ("c", "l.training.sagemaker", "us-east-1"),
    ]
    assert "Host a\n" not in (laptop.own / "config").read_text()


def test_options_are_written_and_kept(laptop: Laptop) -> None:
    assert laptop.run("config", "--region", "eu-west-1", "--profile", "p", "--no-share").returncode == 0
    assert laptop.run("config").returncode == 0
    text = (laptop.own / "config").read_text()
    assert "sm_ssh_entry.cli.proxy --region eu-west-1 --profile p '%n'" in text
    assert "Control" not in text


@pytest.mark.parametrize(
    "words",
    [
        ["one"],
        ["one", "two", "three"],
        ["gpu", "not-a-name"],
        ["a b", "j.training.sagemaker"],
        ["--alias", "gpu"],
        ["--alias", "=j.training.sagemaker"],
        ["--remove-alias", "none"],
        ["--via", "air"],
    ],
)
def test_input_that_cannot_be_right_changes_nothing(laptop: Laptop, words: list[str]) -> None:
    done = laptop.run("config", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert not (laptop.own / "config").exists()


def test_a_file_that_cannot_be_written_is_one_line(laptop: Laptop) -> None:
    (laptop.home / ".ssh").mkdir(mode=0o700)
    (laptop.home / ".ssh/config").mkdir()
    done = laptop.run("config")
    assert done.returncode == 1
    assert done.stderr.startswith("sm-ssh: cannot read ")
    assert "Traceback" not in done.stderr


def test_a_home_that_is_not_the_accounts_is_said(laptop: Laptop) -> None:
    assert "ssh -F" in laptop.run("config").stderr
