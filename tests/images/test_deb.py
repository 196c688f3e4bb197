"""A package written by hand: dpkg-deb is the judge."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.images import deb

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
CONTROL = {"Package": "thing", "Version": "1.0", "Architecture": "amd64", "Description": "a thing"}
LONG = "/usr/lib/" + "a-long-name/" * 12 + "file.txt"
FILES = {
    "/usr/bin/thing": deb.File(b"#!/bin/sh\necho thing\n", 0o755),
    "/etc/thing/empty": deb.File(b""),
    LONG: deb.File(b"odd"),
}


def dpkg_deb(*words: str | Path) -> str:
    return subprocess.run(["dpkg-deb", *words], capture_output=True, text=True, check=True, timeout=180).stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "thing.deb"
    found.write_bytes(deb.build(CONTROL, FILES))
    return found


def test_its_fields_are_read(path: Path) -> None:
    fields = dict(line.split(": ", 1) for line in dpkg_deb("--field", path).splitlines())
    assert fields == {**CONTROL, "Installed-Size": "2"}


def test_its_files_come_out_as_they_went_in(path: Path, tmp_path: Path) -> None:
    dpkg_deb("--extract", path, tmp_path / "root")
    for name, file in FILES.items():
        found = tmp_path / "root" / name[1:]
        assert found.read_bytes() == file.content
        assert found.stat().st_mode & 0o777 == file.mode


def test_everything_is_root_s_and_every_folder_is_named(path: Path) -> None:
    rows = [line.split() for line in dpkg_deb("--contents", path).splitlines()]
    assert {row[1] for row in rows} == {"root/root"}
    assert {"./", "./usr/", "./usr/bin/", "./etc/", "./etc/thing/"} <= {row[-1] for row in rows}


def test_the_same_content_gives_the_same_bytes() -> None:
    assert deb.build(CONTROL, FILES) == deb.build(CONTROL, dict(reversed(FILES.items())))


def test_a_member_of_odd_length_is_padded() -> None:
    """ar's members begin at even places; dpkg-deb would stumble over the next one."""
    for length in range(4):
        assert deb.build({**CONTROL, "X-Pad": "x" * length}, FILES).count(b"`\n") == 3
