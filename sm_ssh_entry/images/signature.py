"""Signatures, checked by gpgv: a keyring, and nothing of the user's own trust or key servers."""

from __future__ import annotations

import base64
import binascii
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.errors import ArtifactRefused, BadInput, ToolMissing

_SECONDS = 120.0
_ARMOR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+: [^\r\n]*\r?\n)*\r?\n(.*?)(?:\r?\n=[^\r\n]{4})?"
    r"\r?\n-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)


def signed_text(path: Path, keyring: Path) -> str:
    """Return the text that a clear-signed file (``InRelease``) vouches for, and nothing around it.

    Args:
        path: the file.
        keyring: public keys.

    Raises:
        ArtifactRefused: no key of the keyring has signed it.
        BadInput: there is no such keyring.
        ToolMissing: gpgv is not there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "text"
        _gpgv(keyring, ["--output", text, path], path.name, Path(scratch))
        return text.read_text(encoding="utf-8")


def check_detached(path: Path, signature: Path, keyring: Path, fingerprint: str) -> str:
    """Check a file against the signature beside it; return the fingerprint of the key that made it.

    Args:
        path: the file.
        signature: its signature.
        keyring: public keys, armored or not.
        fingerprint: of the primary key that must have signed it; empty: any key of the keyring.

    Raises:
        ArtifactRefused: no key of the keyring, or another one, has signed it.
        BadInput: there is no such keyring.
        ToolMissing: gpgv is not there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        status = _gpgv(keyring, [signature, path], path.name, Path(scratch))
    # VALIDSIG's last word is the primary key's fingerprint (doc/DETAILS of GnuPG).
    valid = [line.split()[-1] for line in status.splitlines() if line.startswith("[GNUPG:] VALIDSIG ")]
    if not valid or (fingerprint and fingerprint not in valid):
        raise ArtifactRefused(
            f"{path.name} is signed by {valid[0] if valid else 'nobody'}, not by {fingerprint or 'the key given'}",
            hint="artifacts.toml names the fingerprint; has its publisher changed the key?",
        )
    return valid[0]


def _gpgv(keyring: Path, words: Sequence[str | Path], name: str, scratch: Path) -> str:
    binary = scratch / "keyring.gpg"
    binary.write_bytes(_keys(keyring))
    argv: list[str | Path] = ["gpgv", "--status-fd", "1", "--homedir", scratch, "--keyring", binary, *words]
    try:
        done = command.run(argv, timeout=_SECONDS)
    except ToolMissing as error:
        raise ToolMissing(error.message, hint="install the package gpgv: signatures are checked with it") from error
    if not done.ok:
        said = [line.removeprefix("gpgv: ").strip() for line in done.stderr.splitlines() if line.strip()]
        raise ArtifactRefused(
            f"the signature of {name} does not hold: {said[-1] if said else 'gpgv does not say why'}",
            hint=f"the public keys are those of {keyring}",
        )
    return done.stdout


def _keys(path: Path) -> bytes:
    """Return a keyring as gpgv reads it: published keys are armored, and old versions do not take them so."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"there is no keyring {path}: {error.strerror}",
            hint="the packages debian-archive-keyring and ubuntu-keyring have them; --key NAME=FILE names another file",
        ) from error
    if not content.lstrip().startswith(b"-----BEGIN"):
        return content
    blocks = _ARMOR.findall(content.decode("latin-1"))
    try:
        keys = b"".join(base64.b64decode("".join(block.split()), validate=True) for block in blocks)
    except binascii.Error as error:
        raise BadInput(f"{path} is no public key: {error}") from error
    if not keys:
        raise BadInput(f"{path} holds no public key")
    return keys
