"""The root command as a user meets it: real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sm_ssh_entry import __version__
from sm_ssh_entry.cli.main import COMMANDS


def sm_ssh(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "sm_ssh_entry.cli.main", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180)


def test_help_names_every_command_and_imports_none() -> None:
    done = sm_ssh("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    script = (
        "import sys; from sm_ssh_entry.cli import main; main.main(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=180)
    heavy = {"botocore", "boto3", "moto", "aiohttp", "websockets", "rich", "asyncio"}
    assert not heavy & set(loaded.stderr.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    done = sm_ssh(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: sm-ssh {name}")


def test_version() -> None:
    assert sm_ssh("--version").stdout == f"sm-ssh, version {__version__}\n"


def test_unknown_command_is_a_usage_error() -> None:
    done = sm_ssh("conect")
    assert done.returncode == 2
    assert "No such command 'conect'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_went_away_is_no_error() -> None:
    script = f"{sys.executable} -m sm_ssh_entry.cli.main --help | true; exit 0"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=180)
    assert done.stderr == ""
