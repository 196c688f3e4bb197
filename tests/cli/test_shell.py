"""What ``sm-ssh shell`` refuses before there is a session; the shell itself is tried end to end."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry import errors
from sm_ssh_entry.cli import shell
from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.world import Fleet, Laptop


def refused(laptop: Laptop, *words: str) -> tuple[int, str]:
    """Run it; return its status and what it said, which is one line and a hint."""
    done = laptop.run("shell", *words)
    assert done.stdout == ""
    # A machine that is busy takes its time, and what takes time says so.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("sm-ssh: looking for ")]
    assert len(lines) == 2, done.stderr
    assert lines[1].startswith("  hint: ")
    return done.returncode, done.stderr


def test_a_node_behind_another_is_for_ssh(laptop: Laptop, plane: PlaneThread, fleet: Fleet) -> None:
    fields: dict[str, Any] = {"name": "j", "region": "us-east-1", "nodes": 9, "native": False, "request": {}}
    plane.call(lambda there: job_records.note(there.store, fields))
    first = fleet.add("j")
    status, said = refused(laptop, "algo-7.j.training.sagemaker")
    assert status == errors.BadInput.exit_code
    assert first in said
    assert "sm-ssh connect algo-7.j.training.sagemaker" in said


def test_a_user_cannot_be_chosen(laptop: Laptop, fleet: Fleet) -> None:
    fleet.add("j")
    status, said = refused(laptop, "ubuntu@j.training.sagemaker")
    assert status == errors.BadInput.exit_code
    assert "sm-ssh connect" in said


def test_a_node_whose_agent_is_away(laptop: Laptop, fleet: Fleet) -> None:
    fleet.add("j", online=False)
    assert refused(laptop, "j.training.sagemaker")[0] == errors.ConnectionLost.exit_code


def test_options_may_follow_the_name_and_a_commands_own_need_two_dashes(laptop: Laptop, fleet: Fleet) -> None:
    fleet.add("j")
    assert refused(laptop, "j.training.sagemaker", "--region", "eu-west-1", "--", "ls", "-l")[0] != 2
    done = laptop.run("shell", "j.training.sagemaker", "ls", "-l")
    assert (done.returncode, "-l" in done.stderr) == (2, True)


def test_nobody_of_that_name(laptop: Laptop) -> None:
    assert refused(laptop, "j.training.sagemaker")[0] == errors.NotFound.exit_code


@pytest.mark.parametrize(
    ("words", "line"),
    [(("nvidia-smi",), "nvidia-smi"), (("ps aux | head",), "ps aux | head"), (("ls", "a b", "$x"), "ls 'a b' '$x'")],
)
def test_several_words_stay_as_they_are_and_one_is_a_line(words: tuple[str, ...], line: str) -> None:
    assert shell._line(words) == line
