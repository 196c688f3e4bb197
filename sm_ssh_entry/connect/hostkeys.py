"""Host keys: what a node's tag says becomes the one line that ``ssh`` trusts for it.

The file is our own, so nobody's ``~/.ssh/known_hosts`` fills up with nodes that live for an hour. Strict checking stays
on: whoever sits between us and the node cannot write the node's tags, so a key that differs makes ``ssh`` refuse.

``ssh`` starts its ProxyCommand first, and reads known_hosts only after the banners have passed through it; a proxy that
writes the line before it lets the first byte through is always in time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from sm_ssh_entry.connect import folder
from sm_ssh_entry.errors import BadInput

# Nodes are short-lived; beyond this many lines the oldest are dead for sure.
_KEPT_LINES = 1000


def known_hosts() -> Path:
    """Return our known_hosts file; it need not exist."""
    return folder.private_folder() / "known_hosts"


def pin(aliases: Sequence[str], host_key: str) -> None:
    """Make the file say that these names have this key and no other.

    Args:
        aliases: names, lower case: what ``ssh`` calls the host, and the node's id.
        host_key: ``ssh-ed25519 AAAA…`` as the tag SSHHostKey holds it.

    Raises:
        BadInput: the tag holds no key.
    """
    path = known_hosts()
    key = " ".join(_checked(host_key))
    wanted = {alias: f"{alias} {key}" for alias in aliases}
    if _split(folder.read(path), wanted)[1] == sorted(wanted.values()):
        return
    with folder.locked(path):
        others, _ = _split(folder.read(path), wanted)
        folder.write(path, "\n".join([*others[-_KEPT_LINES:], *wanted.values()]) + "\n")


def fingerprint(key: str) -> str:
    """Return OpenSSH's fingerprint of a public key: ``SHA256:`` and base64 without padding.

    Args:
        key: ``type base64 [comment]``.

    Raises:
        BadInput: it is not a public key.
    """
    _, blob = _checked(key)
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def _checked(key: str) -> tuple[str, str]:
    words = key.split()
    if len(words) < 2:
        raise BadInput("this is not a public key: a type and base64 are expected")
    kind, blob = words[:2]
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise BadInput(f"the {kind} key is not base64") from error
    # RFC 4253, section 6.6: the blob begins with its own type as a length-prefixed string.
    length = int.from_bytes(raw[:4], "big")
    if not kind.isascii() or raw[4 : 4 + length] != kind.encode("ascii") or len(raw) <= 4 + length:
        raise BadInput(f"the key does not hold what its type {kind!r} says")
    return kind, blob


def _split(text: str, aliases: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the lines about other hosts as they stand, and those about these, sorted."""
    others: list[str] = []
    ours: list[str] = []
    wanted = set(aliases)
    for line in text.splitlines():
        if line.strip():
            (ours if line.split(" ", 1)[0] in wanted else others).append(line)
    return others, sorted(ours)
