"""Scripts of users' in the same containers as boot's: a root folder each, on a Python that has no packages at all."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sm_ssh_entry.in_script import staging
from tests.boot.conftest import container, ssm
from tests.boot.container import Container

__all__ = ["container", "ssm"]

SAMPLES = Path(__file__).with_name("samples")
Script = Callable[..., "subprocess.Popen[bytes]"]


@functools.cache
def oldest() -> str:
    """Return the oldest Python of this machine, from 3.8 on, that a user's script may run on."""
    found = [
        *map(shutil.which, ("python3.8", "python3.9")),
        *map(str, sorted(Path.home().glob(".pyenv/versions/3.[89].*/bin/python"))),
    ]
    for python in filter(None, found):
        if subprocess.run([python, "-c", "import fcntl, json, ssl"], check=False, capture_output=True).returncode == 0:
            return python
    return sys.executable


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def beside(cache: Path) -> Path:
    """Return the folder that holds what dependency_dir() gives."""
    return staging.stage(staging.OLD, cache=cache).parent


@pytest.fixture
def script(container: Container, beside: Path, tmp_path: Path) -> Script:
    """Return what starts a sample in the container, with dependency_dir() beside it, or what ``code`` says instead."""
    container.env["SM_MODEL_DIR"] = str(tmp_path / "model")

    def start(sample: str = "train.py", *, code: str = "", **variables: str) -> subprocess.Popen[bytes]:
        env = {**container.env, "PYTHONPATH": str(beside), "PYTHONDONTWRITEBYTECODE": "1", **variables}
        # -S: no site-packages, as a user's Python that has neither boto3 nor click.
        words = ["-c", code] if code else [str(SAMPLES / sample)]
        return container.spawn_argv([oldest(), "-S", *words], env=env)

    return start
