"""The artifacts of an installation at run time: fetched as they are locked, or brought and checked; else refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sm_ssh_entry.images import lockfile, manifest
from sm_ssh_entry.in_script import staging
from tests.images.conftest import keys, shipped, site, world
from tests.images.user import AGENT, PROGRAM, World

__all__ = ["keys", "shipped", "site", "world"]

DEB = "agent/amd64/amazon-ssm-agent.deb"


@pytest.fixture(scope="session")
def staged(cache: Path) -> Path:
    return staging.stage("sm_ssh_entry", cache=cache)


@pytest.fixture
def entries(world: World, shipped: Path) -> list[lockfile.Entry]:
    """Return what is locked after a first fetch, the shipped lock and the user's own together."""
    assert world.fetch()[0] == 0
    return [*lockfile.read(shipped).values(), *world.lock.values()]


@pytest.fixture
def kit(staged: Path, world: World, entries: list[lockfile.Entry], tmp_path: Path) -> Path:
    """Return our package as a job has it, with what the test's publishers have instead of the real ones."""
    folder = tmp_path / "job" / "sm_ssh_entry"
    shutil.copytree(staged, folder)
    images = folder / "image_files" / "images"
    (images / "artifacts.json").write_text(json.dumps(manifest.parsed(tmp_path / "artifacts.toml")))
    lockfile.write(images / "artifacts.lock", entries)
    world.site.asked.clear()
    return folder


def obtain(kit: Path, folder: Path, how: str, lock: str = "", **variables: str) -> tuple[int, str]:
    """Run the program as the installation does; return its status and what it says."""
    script = "import sys; sys.path.append(sys.argv[1]); from sm_ssh_entry.in_script import obtaining"
    words = ["-I", "-S", "-B", "-c", f"{script}; sys.exit(obtaining.main(sys.argv[2:]))", str(kit.parent)]
    done = subprocess.run(
        [sys.executable, *words, str(folder), "amd64", how, lock],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def locked(kit: Path) -> Path:
    return kit / "image_files" / "images" / "artifacts.lock"


def test_what_is_locked_is_fetched_and_nothing_else(kit: Path, world: World, tmp_path: Path) -> None:
    status, said = obtain(kit, tmp_path / "here", "fetch")
    assert (status, said.count("\n")) == (0, 1)
    there = {
        path.relative_to(tmp_path / "here").as_posix() for path in (tmp_path / "here").rglob("*") if path.is_file()
    }
    agents = {f"agent/amd64/{name}{end}" for name in AGENT for end in ("", ".sig")}
    wheels = {f"wheels/{name}-1.0-py3-none-any.whl" for name in ("app", "lib", "tool")}
    ours = {"SHA256SUMS", "agent/amd64/about.json", f"programs/amd64/{PROGRAM}"}
    assert {name for name in there if not name.startswith("wheel/")} == agents | wheels | ours
    assert (tmp_path / "here" / DEB).read_bytes() == AGENT["amazon-ssm-agent.deb"]
    # Nobody was asked what there is: the lock has said it.
    assert {path.rpartition("/")[2] for _, path, _ in world.site.asked} <= {name.rpartition("/")[2] for name in there}


def test_mirror_serves_it(kit: Path, world: World, tmp_path: Path) -> None:
    text = locked(kit).read_text().replace(world.site.url, "https://public.example")
    locked(kit).write_text(text)
    mirrors = f"https://public.example/={world.site.url}/"
    assert obtain(kit, tmp_path / "here", "fetch", SM_SSH_MIRRORS=mirrors)[0] == 0


def test_what_has_changed_at_its_publisher_is_refused(kit: Path, world: World, tmp_path: Path) -> None:
    path = next(path for path in world.site.files if path.endswith("/amazon-ssm-agent.deb"))
    world.site.files[path] = b"another agent, of the same length"[: len(AGENT["amazon-ssm-agent.deb"])]
    status, said = obtain(kit, tmp_path / "here", "fetch")
    assert status == 1
    assert "sm-ssh: ERROR" in said.splitlines()[-1]
    assert "amazon-ssm-agent.deb" in said
    assert not (tmp_path / "here" / "SHA256SUMS").exists()


def test_agent_that_no_lock_names_is_not_fetched(
    kit: Path, world: World, entries: list[lockfile.Entry], tmp_path: Path
) -> None:
    kept = [entry for entry in entries if entry.component != "agent"]
    lockfile.write(locked(kit), kept)
    status, said = obtain(kit, tmp_path / "here", "fetch")
    assert (status, world.site.asked) == (1, [])
    assert said.startswith("sm-ssh: ERROR the lock has no agent/amd64 (official 3.3.1) (hint: sm-ssh image lock")
    # The user locks it where the job is submitted, and that lock comes along.
    shutil.rmtree(world.to)
    assert (
        world.sm_ssh("lock", "--only", "agent", "--agent", "official", "--arch", "amd64", "--for", "debian-12")[0] == 0
    )
    assert {entry.component for entry in world.lock.values()} == {"agent"}
    assert obtain(kit, tmp_path / "here", "fetch", str(world.to / "artifacts.lock"))[0] == 0


def test_what_came_along_is_checked_against_the_lock(kit: Path, world: World, entries: list[lockfile.Entry]) -> None:
    assert obtain(kit, world.to, "check") == (0, "")
    assert world.site.asked == []
    # Somebody who changes the agent can change the sums and the lock beside it; ours is with the job's code.
    changed = b"another agent"
    old = hashlib.sha256((world.to / DEB).read_bytes()).hexdigest()
    (world.to / DEB).write_bytes(changed)
    sums = world.to / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(changed).hexdigest()))
    beside = [replace(one, size=len(changed), sha256=hashlib.sha256(changed).hexdigest()) for one in entries]
    lockfile.write(world.to / "artifacts.lock", [one for one in beside if one.file == DEB])
    status, said = obtain(kit, world.to, "check", str(world.to / "artifacts.lock"))
    assert status == 1
    assert said.startswith(f"sm-ssh: ERROR {DEB} is not the locked file (hint: ")


@pytest.mark.parametrize("name", [DEB, "wheels/more-1-py3-none-any.whl"])
def test_what_no_lock_names_is_refused_however_good_its_sum(
    kit: Path, world: World, entries: list[lockfile.Entry], name: str
) -> None:
    lockfile.write(locked(kit), [entry for entry in entries if entry.file != name])
    (world.to / name).write_bytes(b"anything")
    sums = world.to / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if not line.endswith(name)]
    sums.write_text("\n".join([*lines, f"{hashlib.sha256(b'anything').hexdigest()}  {name}", ""]))
    status, said = obtain(kit, world.to, "check")
    assert status == 1
    assert f"ERROR {name} is in no lock (hint: sm-ssh image lock" in said


def test_stand_in_is_told_of(kit: Path, world: World) -> None:
    about = world.to / "agent" / "amd64" / "about.json"
    about.write_text('{"source": "stand-in", "version": "1"}')
    sums = world.to / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if not line.endswith("about.json")]
    sums.write_text(
        "\n".join([*lines, f"{hashlib.sha256(about.read_bytes()).hexdigest()}  agent/amd64/about.json", ""])
    )
    status, said = obtain(kit, world.to, "check")
    assert status == 0
    assert "WARNING the agent is the stand-in" in said


def test_lock_of_another_version_is_none(kit: Path, entries: list[lockfile.Entry], tmp_path: Path) -> None:
    older = [replace(one, version="1.0") if one.component == "agent" else one for one in entries]
    lockfile.write(locked(kit), older)
    status, said = obtain(kit, tmp_path / "here", "fetch")
    assert status == 1
    assert "the lock has no agent/amd64 (official 3.3.1)" in said
