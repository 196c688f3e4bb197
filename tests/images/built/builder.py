"""Builds of the layer for tests: from the artifacts that the tests' images were made of, without any network."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.images.built import engine

ROOT = Path(__file__).resolve().parent.parent.parent.parent
# docker-bake.hcl's name for the folder; `make test` fills this one.
ARTIFACTS = Path(os.environ.get("ARTIFACTS", ROOT / "images" / "artifacts-test"))
# What a build without AWS CLI and packages takes.
SMALL = ("wheels", "wheel", "programs", "agent")


def layer(
    base: str,
    *options: str,
    artifacts: Path = ARTIFACTS,
    file: str = "Dockerfile.internet_free",
    args: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Build the thin layer on a base; a failure is the caller's to judge.

    Args:
        base: image to build on.
        options: further options of the build, ``--target checked`` for one.
        artifacts: folder of artifacts.
        file: Dockerfile.
        args: the build's arguments.
    """
    given = {"BASE_IMAGE": base, "VARIANT": "thin", "AGENT_SOURCE": "stand-in", **(args or {})}
    pairs = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    words = ["docker", "buildx", "build", "--progress", "plain", "--network", "none", "--file", str(ROOT / file)]
    words += ["--build-context", f"artifacts={artifacts}", "--label", engine.LABEL, *pairs, *options, str(ROOT)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)


def image(base: str, *options: str) -> str:
    """Build the thin layer on a base; return the new image's name.

    Args:
        base: image to build on.
        options: further options of the build.
    """
    name = f"{engine.LABEL}/layer:{uuid.uuid4().hex[:12]}"
    done = layer(base, "--load", "--tag", name, *options)
    assert done.returncode == 0, done.stderr[-4000:]
    return name


def derived(base: str, lines: str) -> str:
    """Build an image of another one, without a network; return its name.

    Args:
        base: image to build on.
        lines: lines of a Dockerfile.
    """
    name = f"{engine.LABEL}/odd:{uuid.uuid4().hex[:12]}"
    words = ["docker", "buildx", "build", "--quiet", "--load", "--network", "none", "--label", engine.LABEL]
    text = f"FROM {base}\n{lines}\n"
    done = subprocess.run(
        [*words, "--tag", name, "-"], input=text, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return name


def small_copy(folder: Path) -> Path:
    """Copy what a thin build needs of the artifacts, for a test to spoil; return the copy.

    Args:
        folder: where to.
    """
    for part in SMALL:
        shutil.copytree(ARTIFACTS / part, folder / part)
    shutil.copy(ARTIFACTS / "SHA256SUMS", folder)
    return folder


def errors(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return what our steps have said went wrong in a build."""
    return {line.partition("sm-ssh: ERROR ")[2] for line in done.stderr.splitlines() if "sm-ssh: ERROR " in line}
