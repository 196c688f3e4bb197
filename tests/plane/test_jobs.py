"""What a node that is a process runs of what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.plane.jobs import Job


@pytest.mark.parametrize("before", [(), (contract.ENTRY,), contract.ENTRY_PREFIX])
def test_our_entrypoint_stands_before_a_submitted_command_once(before: tuple[str, ...], tmp_path: Path) -> None:
    """Each node has one of its own; a second one would look for an image's layer on this machine."""
    words = ("python3", "/opt/ml/code/train.py")
    job = Job(name="j", argv=words[1:], entrypoint=(*before, words[0]), folder=tmp_path, submitted=True)
    assert job.command("algo-1") == ["python3", f"{tmp_path}/algo-1/opt/ml/code/train.py"]
