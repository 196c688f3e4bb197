from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.boot import become


def test_says_why_it_cannot(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch(mode=0o644)
    assert become.run(["/no/such/file"], {}) == 127
    assert become.run([str(plain)], {}) == 126
    lines = capfd.readouterr().err.splitlines()
    assert ["command not found" in lines[0], "cannot execute" in lines[1]] == [True, True]


def test_finds_the_command_on_the_given_path(tmp_path: Path) -> None:
    program = tmp_path / "only-here"
    program.write_text('#!/bin/sh\necho "$A"\n')
    program.chmod(0o755)
    env = {b"PATH": os.fsencode(tmp_path), b"A": "é".encode()}
    code = f"from sm_ssh_entry.boot import become; become.run(['only-here'], {env!r})"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True)
    assert done.stdout == "é\n".encode()


def test_script_that_names_no_interpreter_is_the_shells(tmp_path: Path) -> None:
    program = tmp_path / "only-here"
    program.write_text('echo "$1 $$"; exit 3\n')
    program.chmod(0o755)
    env = {b"PATH": os.fsencode(tmp_path) + b":/usr/bin:/bin"}
    run = f"become.run(['only-here', 'a b'], {env!r})"
    code = f"import os; from sm_ssh_entry.boot import become; print(os.getpid(), flush=True); {run}"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    first, second = done.stdout.splitlines()
    assert (done.returncode, second) == (3, f"a b {first}")
