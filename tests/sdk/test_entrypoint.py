"""What stands before another entrypoint: once, within the service's limits, and of no harm in an image without us."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.contract import ENTRY
from sm_ssh_entry.contract import ENTRY_PREFIX as PREFIX
from sm_ssh_entry.sdk.entrypoint import prefixed, stripped

WORDS = ["sh", "-c", 'echo "$0 $1"; exit 7', "start", "a  b"]


def test_an_image_without_the_layer_runs_the_job_and_says_so() -> None:
    assert not Path(ENTRY).exists()
    done = subprocess.run(prefixed(WORDS), check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (7, "start a  b\n")
    assert done.stderr == "[sm-ssh] WARNING this image lacks the sm-ssh layer: no SSH\n"


def test_with_the_layer_its_entrypoint_gets_every_word(tmp_path: Path) -> None:
    entry = tmp_path / "sm-ssh-entry"
    entry.write_text('#!/bin/sh\nprintf \'%s\\n\' "$$" "$@"\n')
    entry.chmod(0o755)
    words = [word.replace(ENTRY, str(entry)) for word in prefixed(WORDS)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    said, _ = child.communicate(timeout=120)
    # In the place of the shell: the container's first process is ours.
    assert said.splitlines() == [str(child.pid), "--", *WORDS]


def test_no_word_is_longer_than_the_service_takes() -> None:
    assert max(map(len, PREFIX)) <= 256


@pytest.mark.parametrize("before", [[], [*PREFIX], [ENTRY], [ENTRY, "--"], [*PREFIX, *PREFIX], [*PREFIX, ENTRY]])
def test_it_stands_there_once(before: list[str]) -> None:
    assert stripped([*before, *WORDS]) == WORDS
    assert prefixed([*before, *WORDS]) == [*PREFIX, *WORDS]


@pytest.mark.parametrize("nothing", [None, [], ""])
def test_where_there_is_none_the_images_own_stays(nothing: list[str] | str | None) -> None:
    assert prefixed(nothing) == []
