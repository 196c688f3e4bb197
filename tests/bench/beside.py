"""What ours is measured beside: the AWS CLI with its plugin, the predecessor's client. Each may be missing.

SM_SSH_BENCH_PATH          folders that go before PATH: where aws (version 2) and session-manager-plugin are
SM_SSH_BENCH_IMAGE         an image with our layer for nodes in containers, one with the official agent for one
SM_SSH_BENCH_PREDECESSOR   1: install sagemaker-ssh-helper from PyPI, 300 MB, into an environment of its own
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

PREDECESSOR = ("sagemaker-ssh-helper==2.3.0", "sagemaker<3")
_DEFAULT_IMAGE = "sm-ssh-test/sm-ssh-base:debian-13"


def with_path(env: Mapping[str, str], *more: str) -> dict[str, str]:
    """Return the environment with the folders of SM_SSH_BENCH_PATH, and more, before its PATH."""
    folders = [*more, os.environ.get("SM_SSH_BENCH_PATH", ""), env.get("PATH", "")]
    return {**env, "PATH": os.pathsep.join(folder for folder in folders if folder)}


@lru_cache(maxsize=1)
def no_cli() -> str:
    """Say why the AWS CLI cannot be measured; ``""``: it can."""
    path = with_path(os.environ)["PATH"]
    aws = shutil.which("aws", path=path)
    if aws is None or shutil.which("session-manager-plugin", path=path) is None:
        return "aws or session-manager-plugin is not installed"
    said = subprocess.run([aws, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    return "" if said.startswith("aws-cli/2") else "aws is not version 2"


def image() -> str:
    """Name the image for nodes in containers; ``""``: no engine, or no such image."""
    name = os.environ.get("SM_SSH_BENCH_IMAGE", _DEFAULT_IMAGE)
    try:
        there = subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False, timeout=30)
    except OSError:
        return ""
    return name if there.returncode == 0 else ""


def is_official(name: str) -> bool:
    """Say whether an image has the official agent, which gives commands on its node the node's own credentials."""
    words = ["docker", "image", "inspect", "--format", '{{index .Config.Labels "sm-ssh.agent"}}', name]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30).stdout.startswith("official")


def predecessor(folder: Path) -> Path | None:
    """Install the predecessor's client; return its folder of programs, None where nobody asked for it.

    Args:
        folder: where its environment goes.
    """
    if os.environ.get("SM_SSH_BENCH_PREDECESSOR") != "1":
        return None
    home = folder / "predecessor"
    for argv in (
        [sys.executable, "-m", "venv", str(home)],
        [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *PREDECESSOR],
    ):
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=900)
    return home / "bin"
