"""The line in ``~/.ssh/config``: put in and taken out, every other byte, mode and link as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sm_ssh_entry.connect import ssh_include
from sm_ssh_entry.errors import SmSshError


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's home is the test's."""
    monkeypatch.setattr(ssh_include, "home_of_ssh", lambda: home)
    (home / ".ssh").mkdir(mode=0o700)


CONTENTS = [
    b"",
    b"\n",
    b"\r\n",
    b"Host a\n    User b\n",
    b"Host a\n    User b",
    b"Host a\r\n    User b\r\n",
    b"# \xff\xfe not text\n\x0cHost a\n\rx\n",
    b"\xef\xbb\xbfHost a\r\n",
    b"\xef\xbb\xbf",
    b"Include other\nHost a\n",
    b"Host a\nInclude sm-ssh/config\n",
]


@pytest.mark.parametrize("before", CONTENTS)
def test_removing_gives_back_the_very_same_bytes(home: Path, before: bytes) -> None:
    path = home / ".ssh/config"
    path.write_bytes(before)
    path.chmod(0o640)
    number = path.stat().st_ino
    assert ssh_include.add() is False
    after = path.read_bytes()
    end = b"\r\n" if b"\r\n" in before.split(b"\n")[0] + b"\n" else b"\n"
    assert after.removeprefix(b"\xef\xbb\xbf").startswith(b"Include sm-ssh/config" + end)
    assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
    assert ssh_include.is_there()
    assert ssh_include.add() is False
    assert path.read_bytes() == after
    assert path.stat().st_ino != number, "written in place: a crash could leave half of it"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert ssh_include.remove(made=False)
    assert path.read_bytes() == before
    assert not ssh_include.remove(made=False)
    assert sorted(one.name for one in (home / ".ssh").iterdir()) == ["config", "sm-ssh"]


def test_a_file_that_was_not_there_is_made_private_and_goes_again(home: Path) -> None:
    path = home / ".ssh/config"
    assert ssh_include.add() is True
    assert path.read_bytes() == b"Include sm-ssh/config\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ssh_include.remove(made=True)
    assert not path.exists()


def test_a_file_that_we_made_stays_if_the_user_wrote_into_it(home: Path) -> None:
    path = home / ".ssh/config"
    made = ssh_include.add()
    path.write_bytes(path.read_bytes() + b"Host a\n")
    assert ssh_include.remove(made=made)
    assert path.read_bytes() == b"Host a\n"


def test_a_link_stays_a_link(home: Path) -> None:
    target = home / "dotfiles"
    target.mkdir()
    (target / "ssh").write_bytes(b"Host a\n")
    path = home / ".ssh/config"
    path.symlink_to("../dotfiles/ssh")
    ssh_include.add()
    assert os.readlink(path) == "../dotfiles/ssh"  # noqa: PTH115 - as it was written
    assert (target / "ssh").read_bytes() == b"Include sm-ssh/config\nHost a\n"
    ssh_include.remove(made=False)
    assert (target / "ssh").read_bytes() == b"Host a\n"
    assert path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_stays(home: Path) -> None:
    path = home / ".ssh/config"
    path.write_bytes(b"Host a\n")
    os.chown(path, 4711, 4712)
    ssh_include.add()
    assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)


@pytest.mark.parametrize(
    "text", ["include   sm-ssh/config\nHost a\n", '# x\n\n  Include "sm-ssh/config"\r\n', "Include=sm-ssh/config\n"]
)
def test_a_line_that_the_user_wrote_will_do(home: Path, text: str) -> None:
    path = home / ".ssh/config"
    path.write_bytes(text.encode())
    assert ssh_include.is_there()
    ssh_include.add()
    assert path.read_bytes() == text.encode()


def test_where_home_is_not_the_accounts_the_line_is_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_include, "home_of_ssh", lambda: Path("/root"))
    ssh_include.add()
    assert (home / ".ssh/config").read_text() == f'Include "{home}/.ssh/sm-ssh/config"\n'
    assert ssh_include.remove(made=True)


def test_a_file_that_cannot_be_read_is_one_line(home: Path) -> None:
    (home / ".ssh/config").mkdir()
    with pytest.raises(SmSshError, match="cannot read"):
        ssh_include.add()
