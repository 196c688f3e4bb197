"""The plane's authority: what it signs is trusted by whom has its file, and no key is left on disk."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import pytest

from sm_ssh_entry.plane import ca


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str | None:
    """Do a TLS handshake in memory; return the version."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(down, up, server_hostname=name)
    other = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return one.version()


@pytest.mark.parametrize("name", [*ca.NAMES, "172.30.0.1", "plane.sm-ssh.internal"])
def test_the_file_is_enough_to_trust_each_name(tmp_path: Path, name: str) -> None:
    authority = ca.create(tmp_path)
    server = authority.certify(*(ca.NAMES if name in ca.NAMES else ("172.30.0.1", "plane.sm-ssh.internal")))
    for file in (authority.ca_file, authority.bundle_file):
        assert handshake(server, ssl.create_default_context(cafile=str(file)), name) in ("TLSv1.2", "TLSv1.3")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, ssl.create_default_context(cafile=str(authority.ca_file)), "example.org")


def test_a_certificate_is_good_for_its_own_listener_only(tmp_path: Path) -> None:
    authority = ca.create(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.certify(*ca.NAMES), trusting, "plane.sm-ssh.internal")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.certify("172.30.0.1"), trusting, "127.0.0.1")


def test_another_planes_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = ca.create(tmp_path), ca.create(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(one.certify(*ca.NAMES), ssl.create_default_context(cafile=str(other.ca_file)), "localhost")


def test_nothing_older_than_tls_1_2(tmp_path: Path) -> None:
    assert ca.create(tmp_path).certify(*ca.NAMES).minimum_version == ssl.TLSVersion.TLSv1_2


def test_no_key_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one file that OpenSSL needs is encrypted while it is there, and gone afterwards."""
    folder, seen = tmp_path / "tmp", []
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    load = ssl.SSLContext.load_cert_chain

    def watch(self: ssl.SSLContext, name: str, password: bytes) -> None:
        seen.append(Path(name).read_bytes())
        load(self, name, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watch)
    ca.create(tmp_path).certify(*ca.NAMES)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in seen[0]
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca-bundle.pem", "ca.pem", "tmp"]
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in tmp_path.glob("*.pem"))
