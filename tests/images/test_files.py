"""What an image build takes lies beside the package: in a checkout, and in an installed wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.images import files
from tests.images.heard import Heard, network

ROOT = Path(__file__).resolve().parents[2]
TAKEN = (
    "Dockerfile.base",
    "Dockerfile.internet_free",
    "docker-bake.hcl",
    "images/artifacts.toml",
    "images/artifacts.lock",
)


def test_a_checkout_is_its_own_source() -> None:
    assert files.source() == ROOT
    for name in TAKEN:
        assert (files.source() / name).is_file(), name


def test_an_installed_wheel_brings_all_that_a_build_takes_and_nothing_fetched(tmp_path: Path) -> None:
    try:
        network(Heard()).size("https://pypi.org/simple/hatchling/", tries=1)
    except SmSshError as error:
        pytest.skip(f"the build backend cannot be fetched: {error}")
    # A copy: an own build folder and an own folder of artifacts, with something in it that must not come along.
    copy = tmp_path / "checkout"
    junk = shutil.ignore_patterns(".git", ".venv", "artifacts", "dist", "__pycache__", "*_cache", ".hypothesis")
    shutil.copytree(ROOT, copy, ignore=junk)
    (copy / "images" / "artifacts").mkdir()
    (copy / "images" / "artifacts" / "fetched.whl").write_bytes(b"fetched")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, copy], check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "fetched" in name or name.startswith(("images/", "tests/", "entrypoint/"))]
    listed = subprocess.run(["git", "ls-files", "images"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in (*TAKEN, *listed.split()):
        assert f"sm_ssh_entry/image_files/{name}" in names
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True, timeout=120)
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n" + (
        "from sm_ssh_entry.images import files\nfrom sm_ssh_entry.cli import root\nprint(files.source())\n"
        "sys.exit(root.run(['image', 'fetch', '--help']))\n"
    )
    argv = [sys.executable, "-P", "-c", script] if sys.version_info >= (3, 11) else [sys.executable, "-c", script]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(tmp_path / "site" / "sm_ssh_entry" / "image_files")
    assert "Usage: sm-ssh image fetch" in done.stdout
