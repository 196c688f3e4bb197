"""Detached signatures, as AWS publishes them, with keys as AWS shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.errors import ArtifactRefused, BadInput, ToolMissing
from sm_ssh_entry.images.signature import check_detached
from tests.images.archive import Key

CONTENT = b"a program\n" * 1000


@pytest.fixture
def signed(keys: tuple[Key, Key], tmp_path: Path) -> Path:
    path = tmp_path / "program.zip"
    path.write_bytes(CONTENT)
    (tmp_path / "program.zip.sig").write_bytes(keys[0].detached(CONTENT))
    return path


def check(path: Path, key: Path, fingerprint: str = "") -> str:
    return check_detached(path, path.with_name(path.name + ".sig"), key, fingerprint)


@pytest.mark.parametrize("form", ["public", "armored"])
def test_a_good_signature_says_whose_it_is(signed: Path, keys: tuple[Key, Key], form: str) -> None:
    assert check(signed, getattr(keys[0], form), keys[0].fingerprint) == keys[0].fingerprint
    assert check(signed, getattr(keys[0], form)) == keys[0].fingerprint


def test_an_armored_key_with_headers_and_other_line_ends_is_read(
    signed: Path, keys: tuple[Key, Key], tmp_path: Path
) -> None:
    first, rest = keys[0].armored.read_text().split("\n", 1)
    key = tmp_path / "key.asc"
    key.write_bytes(f"{first}\nVersion: GnuPG v2\nComment: from a page\n{rest}".replace("\n", "\r\n").encode())
    assert check(signed, key) == keys[0].fingerprint


def test_one_flipped_byte_is_refused(signed: Path, keys: tuple[Key, Key]) -> None:
    changed = bytearray(CONTENT)
    changed[5000] ^= 1
    signed.write_bytes(changed)
    with pytest.raises(ArtifactRefused, match=r"the signature of program\.zip does not hold"):
        check(signed, keys[0].public)


def test_a_stranger_s_key_is_refused(signed: Path, keys: tuple[Key, Key]) -> None:
    with pytest.raises(ArtifactRefused, match="does not hold"):
        check(signed, keys[1].public)


def test_a_key_that_is_not_the_pinned_one_is_refused(signed: Path, keys: tuple[Key, Key]) -> None:
    with pytest.raises(ArtifactRefused, match=f"is signed by {keys[0].fingerprint}, not by {keys[1].fingerprint}"):
        check(signed, keys[0].public, keys[1].fingerprint)


@pytest.mark.parametrize("text", ["-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n", "-----BEGIN NONSENSE-----\n"])
def test_what_is_no_key_is_named(signed: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "key.asc").write_text(text)
    with pytest.raises(BadInput, match=r"key\.asc holds no public key"):
        check(signed, tmp_path / "key.asc")


def test_without_gpgv_it_says_what_to_install(
    signed: Path, keys: tuple[Key, Key], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as caught:
        check(signed, keys[0].public)
    assert "gpgv" in caught.value.hint
