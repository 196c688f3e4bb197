"""SSH keys as text: the host key of this start, the keys that may log in, their fingerprints."""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.boot import status
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import BadInput, SetupFailed

_TYPES = re.compile(
    r"ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com"
)
_KEY_MAX = 4096
# Five fingerprints of 43 characters and their spaces fit the 256 of a tag's value.
FINGERPRINTS_MAX = 5


def parse(text: str) -> str:
    """Return a public key as ``type base64``, its comment dropped.

    Args:
        text: a line of an ``id_*.pub`` file. Options of authorized_keys are refused.

    Raises:
        BadInput: it is no public key. The message does not quote it: people paste private keys by mistake.
    """
    words = text.split()
    hint = "give the content of an id_ed25519.pub file"
    if len(text) > _KEY_MAX or len(words) < 2 or not _TYPES.fullmatch(words[0]):
        raise BadInput("that is not an OpenSSH public key", hint=hint)
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    length = int.from_bytes(blob[:4], "big")
    if len(blob) <= 4 + length or blob[4 : 4 + length] != words[0].encode():
        raise BadInput("that OpenSSH public key is damaged", hint=hint)
    return f"{words[0]} {words[1]}"


def fingerprint(key: str) -> str:
    """Return the SHA-256 fingerprint as OpenSSH writes it, without ``SHA256:``.

    Args:
        key: what ``parse`` returned.
    """
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return base64.b64encode(digest).decode().rstrip("=")


def host_key(paths: Paths) -> str:
    """Make this start's Ed25519 host key, or take the one that is there; return the public half.

    Raises:
        SetupFailed: ssh-keygen did not make one.
        ToolMissing: there is no ssh-keygen.
    """
    private = paths.run / "ssh_host_ed25519_key"
    public = private.with_suffix(".pub")
    if not (private.exists() and public.exists()):
        private.unlink(missing_ok=True)
        made = command.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", private], timeout=30)
        if not made.ok:
            raise SetupFailed("ssh-keygen made no host key", hint="is OpenSSH whole, and is there space on the disk?")
    return parse(public.read_text(encoding="ascii"))


def forget_host_key(paths: Paths) -> None:
    """Remove an earlier start's host key, so that no two containers ever share one."""
    for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
        (paths.run / name).unlink(missing_ok=True)


def start_authorized(paths: Paths, given: Iterable[str], *, again: bool = False) -> tuple[list[str], list[BadInput]]:
    """Write the file of keys that may log in; return those that were given and what was wrong with others.

    Args:
        paths: where the container keeps its files.
        given: keys from SSH_AUTHORIZED_KEYS.
        again: whether this is another start of the same node. Keys that were brought to it stay, as its host key does:
            a laptop that remembers the one takes the other for known.
    """
    good: list[str] = []
    problems = []
    for number, text in enumerate(given, start=1):
        try:
            good.append(parse(text))
        except BadInput as error:
            hint = "public keys, separated by commas, without comments"
            problems.append(BadInput(f"key {number} of SSH_AUTHORIZED_KEYS is not usable: {error.message}", hint=hint))
    unique = list(dict.fromkeys(good))
    kept = _usable(paths.authorized_keys) if again else []
    lines = dict.fromkeys([*unique, *kept])
    status.write_private(paths.authorized_keys, "".join(f"{key}\n" for key in lines).encode())
    return unique, problems


def authorize(paths: Paths, text: str) -> str:
    """Let one more key log in; return its fingerprint. A key that is there already is not added again.

    Args:
        paths: where the container keeps its files.
        text: the key.

    Raises:
        BadInput: it is no public key.
        SetupFailed: SSH was not started here.
    """
    key = parse(text)
    if not paths.run.is_dir():
        raise SetupFailed("SSH is not on in this container", hint="set START_SSH=true, or run sm-ssh-entry start")
    descriptor = os.open(paths.authorized_keys, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        present = file.read()
        if key not in present.splitlines():
            file.write(("" if not present or present.endswith("\n") else "\n") + key + "\n")
    return fingerprint(key)


def fingerprints(keys: Iterable[str]) -> str:
    """Return the fingerprints of some keys as one tag value: as many as fit, separated by spaces."""
    return " ".join([fingerprint(key) for key in keys][:FINGERPRINTS_MAX])


def user_keys(home: Path) -> list[str]:
    """Return the keys of a user's own authorized_keys file that have no options; empty where it cannot be read."""
    return _usable(home / ".ssh" / "authorized_keys")


def _usable(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    good = []
    for line in lines:
        try:
            good.append(parse(line))
        except BadInput:
            continue
    return good
