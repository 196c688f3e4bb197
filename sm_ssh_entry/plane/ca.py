"""The plane's own certificate authority: made at start, its certificate in a file, its keys in memory only."""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAMES = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Authority:
    """What TLS needs.

    Args:
        certify: makes a listener's context, TLS 1.2 or later, with a certificate for the given names and addresses.
        ca_file: the authority's certificate, for AWS_CA_BUNDLE.
        bundle_file: the system's certificates and the authority's, for programs that are given one file for everything.
    """

    certify: Callable[..., ssl.SSLContext]
    ca_file: Path
    bundle_file: Path


def create(folder: Path) -> Authority:
    """Make an authority.

    Args:
        folder: where the two certificate files go; it exists.
    """
    import trustme

    authority = trustme.CA(organization_name="sm-ssh local plane")

    def certify(*names: str) -> ssl.SSLContext:
        leaf = authority.issue_cert(*names, organization_name="sm-ssh local plane")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(server, leaf.private_key_pem.bytes(), b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        return server

    ca_file, bundle_file = folder / "ca.pem", folder / "ca-bundle.pem"
    certificate = authority.cert_pem.bytes()
    ca_file.write_bytes(certificate)
    bundle_file.write_bytes(_system_certificates() + certificate)
    return Authority(certify, ca_file, bundle_file)


def _load(context: ssl.SSLContext, key: bytes, chain: bytes) -> None:
    """Load key and certificates. OpenSSL's interface here takes files: the key is encrypted under a password that only
    this function knows, and the file is gone when it returns, so the key itself is never on disk.
    """
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    password = secrets.token_bytes(32).hex().encode()
    sealed = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
    )
    descriptor, name = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed + chain)
        context.load_cert_chain(name, password=password)
    finally:
        Path(name).unlink()


def _system_certificates() -> bytes:
    paths = ssl.get_default_verify_paths()
    found = (Path(path) for path in (paths.cafile, paths.openssl_cafile) if path)
    text = next((path.read_bytes() for path in found if path.is_file()), b"")
    return text if not text or text.endswith(b"\n") else text + b"\n"
