"""A proxy's reason: by file, by standard error, by ``ssh``'s own standard error, and kept."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.connect import outcome
from sm_ssh_entry.errors import Ambiguous, NotFound

LEAVE = (
    "import os, sys\nfrom sm_ssh_entry.connect import outcome\nfrom sm_ssh_entry.errors import NotFound\n"
    "code = outcome.leave(NotFound('größe: none', hint='look'), host='h', path=sys.argv[1], ssh=os.getppid())\n"
    "sys.exit(code)\n"
)


def leave(path: str, *, stderr: int) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", LEAVE, path]
    return subprocess.run(argv, stderr=stderr, stdout=subprocess.PIPE, text=True, check=False, timeout=120)


@pytest.mark.parametrize("name", ["outcome", ""])
def test_it_is_printed_where_it_can_be(home: Path, tmp_path: Path, name: str) -> None:
    del home
    path = tmp_path / name
    done = leave(str(path) if name else "", stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (10, "sm-ssh: größe: none\n  hint: look\n")
    if name:
        left = outcome.taken(path)
        assert left is not None
        error, shown = left
        assert (type(error), error.message, error.hint, shown) == (NotFound, "größe: none", "look", True)


def test_without_standard_error_the_file_says_that_nobody_saw_it(home: Path, tmp_path: Path) -> None:
    del home
    path = tmp_path / "outcome"
    assert leave(str(path), stderr=subprocess.DEVNULL).returncode == 10
    left = outcome.taken(path)
    assert left is not None
    assert left[1] is False


def test_the_last_one_is_kept(home: Path) -> None:
    assert outcome.last() == {}
    leave("", stderr=subprocess.DEVNULL)
    last = outcome.last()
    assert (last["error"], last["message"], last["hint"], last["code"], last["host"]) == (
        "NotFound",
        "größe: none",
        "look",
        10,
        "h",
    )
    assert outcome.last_file().stat().st_mode & 0o777 == 0o600
    assert outcome.last_file().parent == home / ".ssh/sm-ssh"


@pytest.mark.parametrize("text", ["", "broken", "[]", "{}", '{"error": "Path"}', '{"error": "run"}'])
def test_what_is_no_outcome(tmp_path: Path, text: str) -> None:
    path = tmp_path / "outcome"
    path.write_text(text)
    assert outcome.taken(path) is None
    assert outcome.taken(tmp_path / "none") is None


def test_a_folder_that_is_gone_is_no_second_failure(home: Path, tmp_path: Path) -> None:
    del home
    code = outcome.leave(Ambiguous("two"), host="h", path=str(tmp_path / "gone" / "outcome"), ssh=os.getppid())
    assert code == 13


def test_a_file_or_link_that_somebody_put_there_is_not_written_to(home: Path, tmp_path: Path) -> None:
    del home
    precious, link = tmp_path / "precious", tmp_path / "outcome"
    precious.write_text("mine")
    link.symlink_to(precious)
    for path in (link, precious):
        assert "none" in leave(str(path), stderr=subprocess.PIPE).stderr
    assert precious.read_text() == "mine"


def test_a_socket_as_ssh_s_standard_error_is_passed_over(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del home
    terminal = tmp_path / "terminal"
    terminal.write_text("$ ")
    with socket.socket(socket.AF_UNIX) as listener:
        name = f"/proc/{os.getpid()}/fd/{listener.fileno()}"
        monkeypatch.setattr(outcome, "_voices_of", lambda _ssh: [name, str(terminal), "/nowhere"])
        monkeypatch.setattr(outcome, "_is_null", lambda _descriptor: True)
        outcome.tell("größe", 1)
    assert terminal.read_text() == "$ sm-ssh: größe\n"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_only_ssh_s_standard_error_is_written_to(home: Path, tmp_path: Path) -> None:
    """Whoever runs the proxy by hand with 2>/dev/null wants silence."""
    del home
    script = tmp_path / "script"
    script.write_text(LEAVE)
    line = f"{sys.executable} {script} '' 2>/dev/null; exit 0"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("", "")
