"""dependency_dir(): one folder for equal content, whole or not at all, with just what a container needs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sm_ssh_entry import in_script
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images import lockfile
from sm_ssh_entry.in_script import staging

LOCKED = lockfile.Entry("agent", "official", "agent/amd64/a.deb", "https://aws.example/a.deb", 3, "a" * 64, "3.3.1")


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def artifacts(root: Path) -> Path:
    """Return a folder of artifacts with made-up content: staging copies, and does not judge."""
    files = {
        "wheels/a-1-py3-none-any.whl": b"wheel",
        "wheel/sm_ssh_container-1-py3-none-any.whl": b"ours",
        "agent/amd64/about.json": b"{}",
        "agent/amd64/amazon-ssm-agent.deb": b"agent",
        "packages/debian-12/amd64/sshd.deb": b"sshd",
        "aws-cli/amd64/awscliv2.zip": b"cli",
        "stand-in/amd64/b-1-py3-none-any.whl": b"stand-in",
    }
    lines = []
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (root / "SHA256SUMS").write_text("".join(lines))
    lockfile.write(root / "artifacts.lock", [LOCKED])
    return root


def test_folder_has_the_containers_half_and_what_installs_it(cache: Path) -> None:
    folder = staging.stage("sagemaker_ssh_helper", cache=cache)
    assert folder.name == "sagemaker_ssh_helper"
    found = names(folder)
    assert {path.split("/")[1] for path in found if "/" in path} >= {"boot", "images", "in_script", "entrypoint"}
    assert not [path for path in found if path.startswith(("sm_ssh_entry/plane", "sm_ssh_entry/connect"))]
    assert {f"sm_ssh_entry/image_files/images/layers/{step}" for step in ("step", "check", "agent.py")} <= found
    # It goes with each job: a megabyte would be felt.
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 800_000


def test_new_scripts_have_the_package_by_its_own_name(cache: Path) -> None:
    folder = staging.stage("sm_ssh_entry", cache=cache)
    code = "from sm_ssh_entry.in_script import setup_and_start_ssh; print(setup_and_start_ssh.__module__)"
    words = [sys.executable, "-S", "-B", "-I", "-c", f"import sys; sys.path.append({str(folder.parent)!r}); {code}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("sm_ssh_entry.in_script\n", "")


def test_equal_content_is_the_same_folder_however_many_ask_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: staging.stage("sagemaker_ssh_helper", cache=tmp_path), range(8)))
    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == [found.pop().parent.name]


def test_damaged_folder_is_made_anew(tmp_path: Path) -> None:
    folder = staging.stage("sagemaker_ssh_helper", cache=tmp_path)
    before = names(folder)
    (folder / "__init__.py").unlink()
    (folder / "sm_ssh_entry" / "errors.py").write_text("")
    (folder / "sm_ssh_entry" / "__pycache__").mkdir()
    assert staging.stage("sagemaker_ssh_helper", cache=tmp_path) == folder
    assert names(folder) == before


def test_users_cache_is_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = Path(in_script.dependency_dir("sm_ssh_entry"))
    assert folder.parent.parent == tmp_path / "sm-ssh" / "dependencies"


def test_artifacts_come_along_without_what_the_layer_does_not_take(tmp_path: Path) -> None:
    source = artifacts(tmp_path / "artifacts")
    folder = staging.stage("sm_ssh_entry", artifacts=source, cache=tmp_path / "cache")
    held = names(folder / "artifacts")
    assert held == {name for name in names(source) if not name.startswith(("aws-cli/", "stand-in/"))}
    listed = {line.split("  ")[1] for line in (folder / "artifacts" / "SHA256SUMS").read_text().splitlines()}
    assert listed == held - {"SHA256SUMS", "artifacts.lock"}
    assert staging.stage("sm_ssh_entry", cache=tmp_path / "cache") != folder


def test_lock_of_both_names_what_is_fetched_and_no_stand_in(tmp_path: Path) -> None:
    own = artifacts(tmp_path / "artifacts") / "artifacts.lock"
    folder = staging.stage("sm_ssh_entry", lock=own, cache=tmp_path / "cache")
    held = lockfile.read(folder / "image_files" / "images" / "artifacts.lock")
    assert held[LOCKED.file] == LOCKED
    assert {entry.component for entry in held.values()} == {"agent", "programs", "wheels"}
    assert {entry.source for entry in held.values()} == {"official", "pypi"}
    assert not (folder / "artifacts").exists()
    wanted = json.loads((folder / "image_files" / "images" / "artifacts.json").read_text())
    assert wanted["agent"]["official"]["version"]


def test_wrong_words_are_told_before_anything_is_made(tmp_path: Path) -> None:
    source = artifacts(tmp_path / "artifacts")
    shutil.rmtree(source / "wheels")
    for words, text in (
        ({"name": "my_folder"}, "no folder can be named my_folder"),
        ({"name": "sm_ssh_entry", "artifacts": tmp_path}, "is no folder of artifacts"),
        ({"name": "sm_ssh_entry", "artifacts": source}, "lacks wheels/a-1-py3-none-any.whl"),
        ({"name": "sm_ssh_entry", "lock": tmp_path / "none.lock"}, "there is no lock"),
    ):
        with pytest.raises(BadInput, match=text):
            staging.stage(**words, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
