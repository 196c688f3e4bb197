"""``--choose``: a question on a terminal, a refusal elsewhere, and the node that was chosen."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress

import pytest

from sm_ssh_entry.cli import choosing
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.errors import BadInput
from tests.cli.terminal import ARGV
from tests.connect.world import Fleet, Laptop

NAME = "j.training.sagemaker"


def typed(keys: str, *words: str) -> tuple[int, str]:
    """Run a command on a terminal where this is typed; return its status and what was to be seen."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "200", "TERM": "dumb"}
    process = subprocess.Popen([*ARGV, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    os.write(ours, keys.encode())
    seen = b""
    with suppress(OSError):  # Linux's way of saying that the last writer has gone
        while piece := os.read(ours, 65536):
            seen += piece
    os.close(ours)
    return process.wait(timeout=120), seen.decode()


@pytest.mark.usefixtures("laptop")
def test_several_are_shown_and_the_one_that_is_named_is_taken(fleet: Fleet) -> None:
    old, new = fleet.add("j", registered=-900.0), fleet.add("j", registered=-60.0)
    lost = fleet.add("j", online=False)
    status, seen = typed("7\n2\n", "shell", "--choose", NAME)
    assert status == 12, seen
    assert seen.index(f"1  {new}  algo-1.{NAME}") < seen.index(f"2  {old}  algo-1.{NAME}")
    assert lost not in seen
    # There is no agent behind these nodes, and it is the old one's that is missed.
    assert f"the agent of {old} is not connected" in seen


@pytest.mark.usefixtures("laptop")
def test_one_is_taken_unasked(fleet: Fleet) -> None:
    only = fleet.add("j")
    status, seen = typed("", "shell", "--choose", NAME)
    assert (status, f"the agent of {only} is not connected" in seen, "Which" in seen) == (12, True, False)


def test_nobody_is_asked_where_nobody_can_answer(laptop: Laptop) -> None:
    done = laptop.run("connect", "--choose", NAME, "true")
    assert done.returncode == 2
    assert done.stderr.startswith("sm-ssh: --choose asks, and nobody can answer here")
    with pytest.raises(BadInput):
        choosing.chosen(Reach(via="native"), NAME)
