from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.boot import keys
from sm_ssh_entry.contract import TAG_VALUE_MAX, Paths
from sm_ssh_entry.errors import BadInput, SetupFailed
from tests.boot.test_start import FINGERPRINT, KEY


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(str(tmp_path))
    made.run.mkdir(parents=True)
    return made


def test_comment_and_spaces_are_dropped() -> None:
    assert keys.parse(f"  {KEY}   me@laptop and more\n") == KEY


@pytest.mark.parametrize("kind", [("rsa", "2048"), ("ecdsa", "521"), ("ed25519", "256")])
def test_every_kind_that_openssh_makes(tmp_path: Path, kind: tuple[str, str]) -> None:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind[0], "-b", kind[1], "-N", "", "-f", file], check=True)
    public = file.with_suffix(".pub")
    listed = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True).stdout
    assert keys.fingerprint(keys.parse(public.read_text())) == listed.split()[1].removeprefix("SHA256:")


@pytest.mark.parametrize(
    "text",
    ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3MAAACB", f'command="x" {KEY}',
     KEY.replace("ssh-ed25519 ", "ssh-rsa "), "-----BEGIN OPENSSH PRIVATE KEY-----", KEY + "x" * 5000],
)  # fmt: skip
def test_what_is_no_key_is_refused_without_a_quote(text: str) -> None:
    with pytest.raises(BadInput) as raised:
        keys.parse(text)
    assert not text.split() or text.rsplit(maxsplit=1)[-1] not in raised.value.message + raised.value.hint


def test_host_key_is_made_once_and_forgotten(paths: Paths) -> None:
    first = keys.host_key(paths)
    assert first.startswith("ssh-ed25519 ")
    assert keys.host_key(paths) == first
    assert (paths.run / "ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    keys.forget_host_key(paths)
    assert keys.host_key(paths) != first


def test_keys_that_were_brought_stay_when_the_same_node_starts_again(paths: Paths) -> None:
    keys.start_authorized(paths, [KEY])
    brought = keys.host_key(paths)
    keys.authorize(paths, brought)
    assert keys.start_authorized(paths, [KEY], again=True) == ([KEY], [])
    assert paths.authorized_keys.read_text().splitlines() == [KEY, brought]
    assert keys.start_authorized(paths, [KEY]) == ([KEY], [])
    assert paths.authorized_keys.read_text().splitlines() == [KEY]


def test_authorized_file_has_each_key_once(paths: Paths) -> None:
    good, problems = keys.start_authorized(paths, [KEY, "nonsense", KEY + " again"])
    assert (good, len(problems)) == ([KEY], 1)
    assert keys.authorize(paths, KEY) == FINGERPRINT
    assert paths.authorized_keys.read_text() == f"{KEY}\n"
    assert paths.authorized_keys.stat().st_mode & 0o777 == 0o600


def test_authorize_repairs_a_missing_line_end_and_needs_ssh_on(paths: Paths, tmp_path: Path) -> None:
    paths.authorized_keys.write_text("ssh-ed25519 other")
    keys.authorize(paths, KEY)
    assert paths.authorized_keys.read_text() == f"ssh-ed25519 other\n{KEY}\n"
    with pytest.raises(SetupFailed, match="not on"):
        keys.authorize(Paths(str(tmp_path / "elsewhere")), KEY)


def test_fingerprints_fit_a_tag() -> None:
    assert keys.fingerprints([KEY]) == FINGERPRINT
    assert len(keys.fingerprints([KEY] * 9)) <= TAG_VALUE_MAX
    assert keys.fingerprints([]) == ""


def test_users_own_keys_without_options(tmp_path: Path) -> None:
    assert keys.user_keys(tmp_path) == []
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "authorized_keys").write_text(f'# mine\n{KEY} me\n\nfrom="x" {KEY}\n')
    assert keys.user_keys(tmp_path) == [KEY]
