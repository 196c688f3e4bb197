"""Keys: which public key opens the node, found without asking the user anything.

In this order: the key that ``SSH_KEY`` (or ``--identity``) names; ``~/.ssh/id_ed25519``; one of our own made earlier;
the Ed25519 keys of the running ssh-agent; and where there is none of these, a new one of our own. A private key is
never read: its public half is enough for us, and ``ssh`` does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry import command, contract
from sm_ssh_entry.connect import folder, hostkeys, windows_keys
from sm_ssh_entry.errors import BadInput, KeyRefused, SmSshError

KEY_VARIABLE = contract.KEY
ED25519 = "ssh-ed25519"
_AGENT_KEYS = 3
_SSH_KEYGEN_HINT = "make a key with: ssh-keygen -t ed25519"


@dataclass(frozen=True)
class Key:
    """A public key.

    Attributes:
        text: type and base64, no comment.
        fingerprint: ``SHA256:…``.
        identity: what ``ssh -i`` is given: the private key, or for an agent's key its public half.
    """

    text: str
    fingerprint: str
    identity: Path


def candidates(identity: str = "") -> tuple[Key, ...]:
    """Return the keys that may be used, best first; make one where there is none.

    Args:
        identity: path of a key the user named; ``""``: ``SSH_KEY`` if set, else the usual places.

    Raises:
        KeyRefused: the named key cannot be used, or none can be made.
    """
    return existing(identity) or (_generate(),)


def existing(identity: str = "") -> tuple[Key, ...]:
    """Return the keys that may be used, best first; none where there is none.

    Args:
        identity: path of a key the user named; ``""``: ``SSH_KEY`` if set, else the usual places.

    Raises:
        KeyRefused: the named key cannot be used.
    """
    named = identity or os.environ.get(KEY_VARIABLE, "")
    if named:
        path = Path(named).expanduser()
        if os.name == "nt" and path.suffix != ".pub" and path.is_file():
            windows_keys.check(path)
        return (_from_file(path),)
    places = [folder.ssh_folder() / name for name in contract.USER_KEYS]
    found = [_from_file(path) for path in places if path.is_file()]
    return tuple(found) or _agent_keys()


def known(keys: Sequence[Key], fingerprints: str) -> Key | None:
    """Return the first key that a node's tag SSHKeyFingerprints lists.

    Args:
        keys: candidates.
        fingerprints: the tag's value: fingerprints with or without ``SHA256:``, separated by spaces.
    """
    listed = {word.removeprefix("SHA256:").rstrip("=") for word in fingerprints.split()}
    return next((key for key in keys if key.fingerprint.removeprefix("SHA256:") in listed), None)


def _own_path() -> Path:
    return folder.ssh_folder() / contract.USER_KEYS[1]


def _from_file(path: Path) -> Key:
    private = path.with_suffix("") if path.suffix == ".pub" else path
    public = private.with_name(private.name + ".pub")
    text = folder.read(public).strip()
    if not text:
        if not private.is_file():
            raise KeyRefused(f"there is no key {private}", hint=_SSH_KEYGEN_HINT)
        # An empty passphrase makes ssh-keygen fail at once instead of asking for one.
        derived = command.run(["ssh-keygen", "-y", "-P", "", "-f", private])
        if not derived.ok:
            raise KeyRefused(
                f"{public} is missing and cannot be made from {private.name}",
                hint=f"make it with: ssh-keygen -y -f {private} > {public}",
            )
        text = derived.stdout.strip()
    return _key(text, private, source=public)


def _key(text: str, identity: Path, *, source: Path | str) -> Key:
    words = text.splitlines()[0].split() if text else []
    try:
        fingerprint = hostkeys.fingerprint(text)
    except BadInput as error:
        raise KeyRefused(f"{source} holds no public key: {error.message}", hint=_SSH_KEYGEN_HINT) from error
    if words[0] != ED25519:
        raise KeyRefused(f"{source} is a {words[0]} key; nodes take Ed25519 keys", hint=_SSH_KEYGEN_HINT)
    return Key(f"{words[0]} {words[1]}", fingerprint, identity)


def _agent_keys() -> tuple[Key, ...]:
    """Ask the ssh-agent, and write the public half of each key where ``ssh -i`` can point to it."""
    if not os.environ.get("SSH_AUTH_SOCK") and os.name != "nt":
        return ()
    try:
        listed = command.run(["ssh-add", "-L"], timeout=5)
    except SmSshError:
        return ()
    if not listed.ok:
        return ()
    lines = [line for line in listed.stdout.splitlines() if line.startswith(ED25519 + " ")]
    keys = []
    for number, line in enumerate(lines[:_AGENT_KEYS], start=1):
        path = folder.private_folder() / f"agent-{number}.pub"
        key = _key(line, path, source="the ssh-agent")
        if folder.read(path).strip() != key.text:
            folder.write(path, key.text + "\n")
        keys.append(key)
    return tuple(keys)


def _generate() -> Key:
    folder.private_folder()
    path = _own_path()
    with folder.locked(path):
        if not path.is_file():
            made = command.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sm-ssh", "-f", path])
            if not made.ok:
                raise KeyRefused(
                    f"ssh-keygen could not make {path}: {made.stderr.strip() or made.stdout.strip()}",
                    hint=_SSH_KEYGEN_HINT,
                )
            if os.name == "nt":
                windows_keys.protect(path)
    return _from_file(path)
