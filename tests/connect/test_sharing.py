"""Who may share a connection with whom. Real masters are tested end to end."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.connect import sharing
from sm_ssh_entry.connect.access import Reach
from tests.connect.world import Laptop

PATTERNS = "*.sagemaker"


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for sockets that is nobody else's; pytest's own are too long."""
    path = Path(tempfile.mkdtemp(prefix="smh-", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    yield path
    shutil.rmtree(path)


def effective(home: Path, lines: list[str]) -> dict[str, str]:
    """What OpenSSH makes of lines in the environment of now: ``ssh -G``."""
    path = home / "lines"
    path.write_text("\n".join(lines) + "\n")
    argv = ["ssh", "-T", "-G", "-F", str(path), "J.training.sagemaker"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    return dict(line.partition(" ")[::2] for line in shown.stdout.splitlines())


@pytest.mark.parametrize(
    ("letters", "expected"), [("", True), ("vTtl", True), ("i", True), ("vL", False), ("A", False), ("S", False)]
)
def test_what_changes_the_connection_is_alone(letters: str, expected: bool) -> None:
    assert sharing.allowed(set(letters)) is expected


@pytest.mark.parametrize(("value", "expected"), [("", True), ("yes", True), ("no", False), ("NO", False), ("0", False)])
def test_a_variable_says_no(home: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    del home
    monkeypatch.setenv("SM_SSH_SHARE", value)
    assert sharing.wanted() is expected


def test_whatever_decides_on_the_account_is_in_the_digest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del home
    seen = {sharing.digest(Reach())}
    for reach in (
        Reach(region="eu-west-1"),
        Reach(profile="p"),
        Reach(via="native"),
        Reach(index=2),
        Reach(region="p"),
    ):
        seen.add(sharing.digest(reach))
    for name in sharing.ENVIRONMENT:
        with monkeypatch.context() as patch:
            patch.setenv(name, "x")
            seen.add(sharing.digest(Reach()))
    monkeypatch.setenv("HOME", "/elsewhere")
    seen.add(sharing.digest(Reach()))
    assert len(seen) == 7 + len(sharing.ENVIRONMENT)
    assert {len(one) for one in seen} == {10}


def test_plain_ssh_shares_in_the_same_environment_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAABCDEFGHIJKLMNOP")
    lines = sharing.config_lines(Reach(), PATTERNS)
    found = effective(home, lines)
    assert (found["controlmaster"], found["controlpersist"]) == ("auto", "60")
    assert f"/{sharing.digest(Reach())}-" in found["controlpath"]
    assert "ABCDEFGHIJKL" not in "".join(lines)
    for name, value in (
        ("AWS_REGION", "eu-west-2"),
        ("AWS_REGION", ""),
        ("AWS_PROFILE", "other"),
        ("AWS_PROFILE", "a profile; touch x"),
        ("AWS_ENDPOINT_URL_SSM", "http://x"),
        ("AWS_ACCESS_KEY_ID", "AKIAABCDEFGHIJKLMNOO"),
        ("SM_SSH_SHARE", "no"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert effective(home, lines)["controlmaster"] == "false", name
    with monkeypatch.context() as patch:
        patch.setenv("SM_SSH_SHARE", "yes")
        assert effective(home, lines)["controlmaster"] == "auto"


def test_what_an_option_says_does_not_depend_on_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So an alias shares in an IDE that a desktop has started, with what a shell has opened."""
    reach = Reach(region="eu-west-1", profile="p")
    lines = sharing.config_lines(reach, PATTERNS)
    before = sharing.digest(reach)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(name, "x")
    assert sharing.digest(reach) == before
    assert effective(home, lines)["controlmaster"] == "auto"
    assert sharing.digest(Reach(region="eu-west-1")) != sharing.digest(Reach(profile="p"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://x")
    assert sharing.digest(reach) != before
    assert effective(home, lines)["controlmaster"] == "false"


def test_a_folder_that_is_gone_means_a_connection_of_ones_own(home: Path, runtime: Path) -> None:
    lines = sharing.config_lines(Reach(), PATTERNS)
    place = sharing.usable_folder()
    assert place == runtime / "sm-ssh"
    assert effective(home, lines)["controlmaster"] == "auto"
    place.rmdir()
    assert effective(home, lines)["controlmaster"] == "false"


@pytest.mark.parametrize("value", ["with space", "quo'te", '"', "$(id)", "größe"])
def test_what_a_pattern_cannot_hold_is_not_shared(home: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    del home
    monkeypatch.setenv("AWS_PROFILE", value)
    assert sharing.config_lines(Reach(), PATTERNS) == []


def test_a_socket_fits_even_where_the_home_is_long(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / ("h" * 80)))
    place = sharing.usable_folder()
    assert place == runtime / "sm-ssh"
    # As long as ssh makes it: our hash, a dash, SHA-1 in hexadecimal, and for a moment 17 more. macOS has 104 bytes.
    name = f"{place}/{10 * 'h'}-{40 * 'c'}{17 * 'r'}"
    assert len(name) < 104
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)


def test_the_first_choice_is_our_own_folder(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(runtime))
    other = runtime / "sm-ssh"
    place = sharing.usable_folder()
    assert place == runtime / ".ssh/sm-ssh/s"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert list(place.iterdir()) == []
    # Others could look in: not ours any more.
    place.chmod(0o755)
    assert sharing.usable_folder() == other
    # A link is not a folder of ours, wherever it points.
    place.rmdir()
    place.symlink_to(runtime)
    assert sharing.usable_folder() == other
    # A file system without sockets is passed over too.
    place.unlink()
    place.mkdir(mode=0o700)
    monkeypatch.setattr(sharing, "_takes_sockets", lambda folder: folder != place)
    assert sharing.usable_folder() == other


def test_nothing_is_asked_where_no_connection_is_shared(home: Path) -> None:
    del home

    def asked(_options: object) -> list[str]:
        raise AssertionError("ssh was asked")

    assert sharing.options(Reach(), asked, print, create=False) == list(sharing.OWN)


def test_windows_does_not_share(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    del laptop
    monkeypatch.setattr(sharing, "_SHARES", False)
    assert not sharing.wanted()
    assert sharing.config_lines(Reach(), PATTERNS) == []
