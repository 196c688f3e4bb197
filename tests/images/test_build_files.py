"""The build's own files: two Dockerfiles that differ in one step, one version, one list."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry import __version__
from tests.images.built import family

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILES = ("Dockerfile.base", "Dockerfile.internet_free")
STEP = re.compile(r'\["/bin/sh", "/run/sm-ssh-build/layers/step", "(?P<name>[^"]+)"\]')


def instructions(name: str) -> list[str]:
    text = (ROOT / name).read_text()
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def test_the_two_dockerfiles_differ_in_where_packages_come_from_alone() -> None:
    ours, theirs = (instructions(name) for name in DOCKERFILES)
    changed = [line for line in difflib.ndiff(ours, theirs) if line[0] in "+-"]
    steps = [line for line in changed if not line[2:].startswith("ARG ")]
    assert [line[0] for line in steps] == ["-", "+"]
    assert all('"packages"' in line for line in steps)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_only_the_step_that_brings_packages_has_a_network(name: str) -> None:
    runs = [line for line in instructions(name) if line.startswith("RUN ")]
    assert runs
    open_ones = [STEP.search(line) for line in runs if "--network=none" not in line]
    steps = [found["name"] for found in open_ones if found]
    assert steps == (["packages"] if name == "Dockerfile.base" else [])
    assert len(steps) == len(open_ones)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_steps_are_run_without_the_bases_shell_and_exist(name: str) -> None:
    runs = [line for line in instructions(name) if line.startswith("RUN ")]
    found = [STEP.search(line) for line in runs]
    assert all(found)
    assert all((ROOT / "images" / "layers" / one["name"]).is_file() for one in found if one)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_version_is_the_packages(name: str) -> None:
    versions = re.findall(r"^ARG VERSION=(.*)$", (ROOT / name).read_text(), re.MULTILINE)
    assert set(versions) == {__version__}


def listed(*words: str, **env: str) -> dict[str, Any]:
    version = ["docker", "buildx", "version"]
    if shutil.which("docker") is None or subprocess.run(version, capture_output=True, check=False).returncode:
        pytest.skip("no docker client with buildx is installed")
    clean = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    command = ["docker", "buildx", "bake", "--print", *words]
    done = subprocess.run(command, cwd=ROOT, env=clean | env, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["target"]
    return found


def tags(targets: dict[str, Any]) -> set[str]:
    return {tag for target in targets.values() for tag in target.get("tags", ())}


def test_bake_lists_what_the_tests_run_on() -> None:
    assert {family.tag(name) for name in family.PARENTS} <= tags(listed("test", REGISTRY="sm-ssh-test/"))


def test_the_default_group_needs_nothing_that_only_a_registry_has() -> None:
    bases = {target["args"]["BASE_IMAGE"] for target in listed("default", DEBIAN_12="a", DEBIAN_13="b").values()}
    assert bases == {"a", "b", "sm-ssh-base"}


def test_a_release_holds_every_base_twice_and_never_the_stand_in() -> None:
    targets = listed("release", REGISTRY="r/", PLATFORMS="linux/amd64,linux/arm64", SBOM="true", PROVENANCE="true")
    systems = ("debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "amazonlinux-2023")
    bases = {f"r/sm-ssh-base:{system}{end}" for system in systems for end in ("", "-thin")}
    assert tags(targets) == bases | {f"r/sm-ssh-{child}:debian-12" for child in ("training", "inference", "processing")}
    for name, target in targets.items():
        assert target["platforms"] == ["linux/amd64", "linux/arm64"]
        # Newer clients print objects where older ones print what was given.
        attested = json.dumps(target["attest"])
        assert "sbom" in attested
        assert "provenance" in attested
        if "BASE_IMAGE" in target["args"] and target["args"]["BASE_IMAGE"] == "sm-ssh-base":
            assert target["contexts"]["sm-ssh-base"] == "target:released-debian-12", name
        else:
            assert target["args"]["ALLOW_STAND_IN"] == "false", name


def test_a_check_keeps_nothing() -> None:
    targets = listed("validate")
    assert targets
    assert all(target["output"] == ["type=cacheonly"] for target in targets.values())


def test_what_is_not_given_stays_the_dockerfiles_own() -> None:
    assert set(listed("debian-12")["debian-12"]["args"]) == {"BASE_IMAGE", "VARIANT"}
    given = listed("debian-12", VERSION="1", AGENT_SOURCE="official", CA=__file__)["debian-12"]
    assert given["args"]["VERSION"] == "1"
    assert __file__ in json.dumps(given["secret"])
