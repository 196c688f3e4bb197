"""Authorising a key: nothing to do where the node's tags list it, else one Run Command with the key inline, no bucket
(unless the user asks for one: ``bucket_key``).

What was pushed is remembered together with the node's host key. Both live and die with the container, so a note never
outlives what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import bucket_key, folder, hostkeys, keys
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import KeyRefused

_KEPT_LINES = 1000

# The key is base64 behind a fixed word, in quotation marks: nothing in it that a shell would read.
_SCRIPT = """\
set -e
key={key}
entry="${{SM_SSH_ROOT:-}}/opt/sm-ssh/bin/sm-ssh-entry"
if [ -x "$entry" ]; then exec "$entry" authorize "$key"; fi
umask 077
folder="${{HOME:-/root}}/.ssh"; file="$folder/authorized_keys"
mkdir -p "$folder"; touch "$file"
grep -qxF "$key" "$file" || printf '%s\\n' "$key" >> "$file"
echo authorized
"""


def authorize(
    ssm: Any, node: Node, candidates: Sequence[Key], *, s3: Callable[[], Any] = lambda: aws.client("s3")
) -> Key:
    """Make sure that the node takes one of our keys, and return that key.

    Args:
        ssm: client.
        node: with its tags.
        candidates: our keys, best first.
        s3: makes a client, for who wants keys to go by a bucket.

    Raises:
        KeyRefused: the node did not take the key.
    """
    already = known(node, candidates)
    if already:
        return already
    from sm_ssh_entry.connect import remote_command

    key = candidates[0]
    bucket = bucket_key.wanted()
    words = bucket_key.fetching(bucket_key.put(s3(), bucket, key)) if bucket else f"'{key.text}'"
    output = remote_command.run_script(
        ssm, node.node_id, _SCRIPT.format(key=words), comment="sm-ssh: authorize a public key"
    )
    refused = remote_command.refusal(output, "authorize the key")
    if refused:
        raise KeyRefused(
            refused.message, hint="the job's log says more; or set SSH_AUTHORIZED_KEYS in the job"
        ) from None
    _remember(node, key)
    return key


def known(node: Node, candidates: Sequence[Key]) -> Key | None:
    """Return the key that a node should know: its tags list it, or we pushed it; None where it knows none of ours.

    Args:
        node: with its tags.
        candidates: our keys, best first.
    """
    return keys.known(candidates, node.tag(contract.TAG_KEY_FINGERPRINTS)) or _remembered(node, candidates)


def _file() -> Path:
    return folder.private_folder() / "authorized"


def _note(node: Node, key: Key) -> str:
    host_key = node.tag(contract.TAG_HOST_KEY)
    return f"{node.node_id} {key.fingerprint} {hostkeys.fingerprint(host_key)}" if host_key else ""


def _remembered(node: Node, candidates: Sequence[Key]) -> Key | None:
    notes = set(folder.read(_file()).splitlines()) - {""}
    return next((key for key in candidates if _note(node, key) in notes), None)


def _remember(node: Node, key: Key) -> None:
    note = _note(node, key)
    if not note:  # no host key to tie it to
        return
    path = _file()
    with folder.locked(path):
        lines = [line for line in folder.read(path).splitlines() if line not in ("", note)]
        folder.write(path, "\n".join([*lines[-_KEPT_LINES:], note]) + "\n")
