"""Which public key may log in: the one that ``sm-ssh connect`` will use, if it exists already.

``sm-ssh connect`` looks in the same places, and makes a key where there is none; here none is made, and the laptop then
brings its key to the node.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from sm_ssh_entry import command, contract
from sm_ssh_entry.errors import KeyRefused, SmSshError

_ED25519 = "ssh-ed25519"
_TYPES = (
    _ED25519,
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_HINT = "give the content or the path of an id_ed25519.pub file, or make a key: ssh-keygen -t ed25519"


def given(text: str) -> str:
    """Return keys as SSH_AUTHORIZED_KEYS holds them: separated by commas, without comments.

    Args:
        text: public keys, one a line or separated by commas, or the path of a key, public or private.

    Raises:
        KeyRefused: it is no public key, and there is no such file.
    """
    if "PRIVATE KEY" in text:
        raise KeyRefused("that is a private key: it stays where it is", hint=_HINT)
    if text.split()[:1] and text.split(maxsplit=1)[0] in _TYPES:
        lines = [line for line in text.replace(",", "\n").splitlines() if line.strip()]
        return ",".join(_checked(line, "public_key") for line in lines)
    return _of_file(Path(text).expanduser())


def usual() -> str:
    """Return the key that ``sm-ssh connect`` tries first, ``""`` where there is none yet.

    Raises:
        KeyRefused: the key that SSH_KEY names cannot be used.
    """
    named = os.environ.get(contract.KEY, "")
    if named:
        return _of_file(Path(named).expanduser())
    try:
        folder = Path.home() / ".ssh"
    except RuntimeError:  # Python's word for: there is no home folder
        return ""
    for path in (folder / name for name in contract.USER_KEYS):
        # One that cannot be used, or is of another type, costs nothing here: the laptop says what is wrong with it.
        try:
            key = _of_file(path) if path.is_file() else ""
        except SmSshError:
            continue
        if key.startswith(_ED25519 + " "):
            return key
    return _of_agent()


def _of_file(path: Path) -> str:
    private = path.with_suffix("") if path.suffix == ".pub" else path
    public = private.with_name(private.name + ".pub")
    try:
        return _checked(public.read_text(encoding="utf-8"), public)
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise KeyRefused(f"{public} cannot be read", hint=_HINT) from error
    if not private.is_file():
        raise KeyRefused(f"there is no key {private}", hint=_HINT)
    # An empty passphrase makes ssh-keygen fail at once instead of asking for one.
    derived = command.run(["ssh-keygen", "-y", "-P", "", "-f", private], timeout=10)
    if not derived.ok:
        raise KeyRefused(
            f"{public} is missing and cannot be made from {private.name}",
            hint=f"make it with: ssh-keygen -y -f {private} > {public}",
        )
    return _checked(derived.stdout, private)


def _of_agent() -> str:
    """Return the first Ed25519 key of the running ssh-agent."""
    if not os.environ.get("SSH_AUTH_SOCK") and os.name != "nt":
        return ""
    try:
        listed = command.run(["ssh-add", "-L"], timeout=5)
        line = next((line for line in listed.stdout.splitlines() if line.startswith(_ED25519 + " ")), "")
        return _checked(line, "the ssh-agent") if line and listed.ok else ""
    except SmSshError:
        return ""


def _checked(text: str, source: Path | str) -> str:
    """Return type and base64 of a public key; the message does not quote what is none."""
    words = text.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
        length = int.from_bytes(blob[:4], "big")
        if words[0] in _TYPES and blob[4 : 4 + length] == words[0].encode() and len(blob) > 4 + length:
            return f"{words[0]} {words[1]}"
    except (IndexError, binascii.Error, ValueError):
        pass
    raise KeyRefused(f"{source} holds no usable public key", hint=_HINT)
