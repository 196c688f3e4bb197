"""What is asked of the system's ``ssh``, and what follows for old ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.connect import openssh, ssh_config
from sm_ssh_entry.connect.openssh import OpenSsh
from sm_ssh_entry.errors import ToolMissing


def fake(folder: Path, version: str, kex: str) -> Path:
    """Put an ``ssh`` first on PATH that notes what it is asked."""
    program = folder / "ssh"
    program.write_text(
        f'#!/bin/sh\necho "$1" >> {folder}/asked\n[ "$1" = -V ] && echo "{version}" >&2\n'
        f'[ "$1" = -Q ] && printf "%s\\n" {kex}\nexit 0\n'
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("version", "kex", "expected", "setting", "keeps"),
    [
        ("OpenSSH_7.4p1, OpenSSL 1.0.2k-fips", "curve25519-sha256", (7, 4), "", False),
        ("OpenSSH_8.0p1, OpenSSL 1.1.1k FIPS", "curve25519-sha256", (8, 0), "^curve25519-sha256", False),
        ("OpenSSH_for_Windows_8.1p1, LibreSSL 3.0.2", "curve25519-sha256", (8, 1), "^curve25519-sha256", True),
        (
            "OpenSSH_9.9p2, LibreSSL 3.3.6",
            "sntrup761x25519-sha512 curve25519-sha256 mlkem768x25519-sha256",
            (9, 9),
            "^mlkem768x25519-sha256,curve25519-sha256",
            True,
        ),
        ("OpenSSH_10.0p2 Debian-5", "ecdh-sha2-nistp256", (10, 0), "", True),
        ("something else", "", (0, 0), "", False),
    ],
)
def test_versions(  # noqa: PLR0917 - a table
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    kex: str,
    expected: tuple[int, int],
    setting: str,
    keeps: bool,
) -> None:
    del home
    fake(tmp_path, version, kex)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = openssh.installed()
    assert (found.version, found.kex_setting, found.keeps_case) == (expected, setting, keeps)
    text = ssh_config.lines()
    assert ("KexAlgorithms" in text) is bool(setting)
    assert text.count(" '%n'\n") == (1 if keeps else 0)


def test_it_is_asked_once_until_it_changes(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del home
    program = fake(tmp_path, "OpenSSH_9.2p1", "curve25519-sha256")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    first = openssh.installed()
    assert openssh.installed() == first == OpenSsh((9, 2), ("curve25519-sha256",))
    assert (tmp_path / "asked").read_text() == "-V\n-Q\n"
    program.unlink()
    fake(tmp_path, "OpenSSH_9.9p1 newer", "curve25519-sha256")
    assert openssh.installed().version == (9, 9)


@pytest.mark.parametrize("text", ["", "broken", "[]", "{}", '{"name": 1}'])
def test_a_broken_note_is_made_anew(home: Path, text: str) -> None:
    note = home / ".ssh/sm-ssh/openssh.json"
    note.parent.mkdir(parents=True, mode=0o700)
    note.write_text(text)
    assert openssh.installed().version > (6, 0)
    assert note.read_text() != text


def test_the_real_one_takes_our_setting(home: Path) -> None:
    setting = openssh.installed().kex_setting
    argv = ["ssh", "-G", "-o", f"KexAlgorithms={setting}", "x"] if setting else ["ssh", "-G", "x"]
    assert subprocess.run(argv, capture_output=True, check=False, env={**os.environ, "HOME": str(home)}).returncode == 0


def test_no_ssh(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del home
    monkeypatch.setenv("PATH", "/nowhere")
    assert shutil.which("ssh") is None
    with pytest.raises(ToolMissing, match="cannot run ssh") as failed:
        openssh.installed()
    assert failed.value.hint
