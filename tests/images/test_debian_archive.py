"""An archive is trusted from its key down: gpg signs, an HTTP server publishes, and each link is broken once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.errors import ArtifactRefused, BadInput, NotFound, SmSshError
from sm_ssh_entry.images.debian_archive import Archive, Suite
from tests.images.archive import Key, package, publish
from tests.images.heard import Heard, network
from tests.images.publisher import Publisher

Keys = tuple[Key, Key]


def read(site: Publisher, keyring: Path, scratch: Path, *suites: str, arch: str = "amd64") -> list[str]:
    heard = Heard()
    archive = Archive(arch, keyring, network=network(heard), progress=heard, scratch=scratch)
    index = archive.index([Suite(f"{site.url}/debian", suite, ("main",)) for suite in suites or ("bookworm",)])
    return [f"{one.name} {one.version} {one.url.removeprefix(site.url)}" for one in index.closure(["a"], ())]


@pytest.mark.parametrize("by_hash", [False, True], ids=["by name", "by hash"])
def test_a_signed_archive_is_read_and_security_updates_win(
    site: Publisher, keys: Keys, tmp_path: Path, by_hash: bool
) -> None:
    publish(
        site, keys[0], "bookworm", [package("a", "1:1.0", Pre_Depends="b", Depends="c"), package("b"), package("c")]
    )
    publish(site, keys[0], "bookworm-security", [package("b", "1.0+deb12u1")], by_hash=by_hash)
    assert read(site, keys[0].public, tmp_path, "bookworm", "bookworm-security") == [
        "a 1:1.0 /debian/pool/main/a_1.0_amd64.deb",
        "b 1.0+deb12u1 /debian/pool/main/b_1.0+deb12u1_amd64.deb",
        "c 1.0 /debian/pool/main/c_1.0_amd64.deb",
    ]


def test_a_stranger_s_signature_is_refused(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[1], "bookworm", [package("a")])
    with pytest.raises(ArtifactRefused, match="the signature of InRelease of bookworm does not hold"):
        read(site, keys[0].public, tmp_path)


def test_one_changed_letter_of_what_is_signed_is_refused(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[0], "bookworm", [package("a")])
    path = "/debian/dists/bookworm/InRelease"
    site.publish(path, site.files[path].replace(b"main/binary", b"Main/binary"))
    with pytest.raises(ArtifactRefused, match="does not hold"):
        read(site, keys[0].public, tmp_path)


def test_what_stands_beside_the_signed_text_is_not_believed(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[0], "bookworm", [package("a")])
    path = "/debian/dists/bookworm/InRelease"
    site.publish(path, b"Codename: bookworm\nSHA256:\n 00 1 main/binary-amd64/Packages.xz\n\n" + site.files[path])
    try:
        found = read(site, keys[0].public, tmp_path)
    except ArtifactRefused:
        return  # refusing it whole is as good
    assert found == ["a 1.0 /debian/pool/main/a_1.0_amd64.deb"]


def test_an_unsigned_release_is_refused(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    site.publish("/debian/dists/bookworm/InRelease", b"Codename: bookworm\nSHA256:\n")
    with pytest.raises(ArtifactRefused):
        read(site, keys[0].public, tmp_path)


def test_one_flipped_byte_of_the_list_is_refused(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[0], "bookworm", [package("a")])
    path = "/debian/dists/bookworm/main/binary-amd64/Packages.xz"
    changed = bytearray(site.files[path])
    changed[20] ^= 1
    site.publish(path, bytes(changed))
    with pytest.raises(ArtifactRefused, match=r"Packages\.xz is not the locked file"):
        read(site, keys[0].public, tmp_path)


def test_another_suite_s_release_in_its_place_is_refused(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[0], "bookworm", [package("a")], codename="buster")
    with pytest.raises(ArtifactRefused, match="is that of buster"):
        read(site, keys[0].public, tmp_path)


def test_a_release_that_has_run_out_is_refused(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[0], "bookworm", [package("a")], valid_days=-1)
    with pytest.raises(ArtifactRefused, match="was valid until"):
        read(site, keys[0].public, tmp_path)


def test_a_processor_that_it_lacks_is_not_found(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[0], "bookworm", [package("a")])
    with pytest.raises(NotFound, match="no main/binary-arm64"):
        read(site, keys[0].public, tmp_path, arch="arm64")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"Filename": "../../outside.deb"}, "outside of the archive"),
        ({"Depends": "b (>> )"}, "no known form"),
        ({"Size": "many"}, "no known form"),
    ],
)
def test_a_list_of_no_sound_form_is_refused(
    site: Publisher, keys: Keys, tmp_path: Path, fields: dict[str, Any], error: str
) -> None:
    paragraph, body = package("a")
    publish(site, keys[0], "bookworm", [({**paragraph, **fields}, body)])
    with pytest.raises(SmSshError, match=error):
        read(site, keys[0].public, tmp_path)


def test_a_keyring_that_is_not_there_is_named_with_its_package(site: Publisher, keys: Keys, tmp_path: Path) -> None:
    publish(site, keys[0], "bookworm", [package("a")])
    with pytest.raises(BadInput, match=r"there is no keyring .*gone\.gpg") as caught:
        read(site, tmp_path / "gone.gpg", tmp_path)
    assert "ubuntu-keyring" in caught.value.hint
