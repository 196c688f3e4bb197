"""Bringing a public key to a node by way of a bucket: for accounts whose rules want that, as they were used to.

``SSH_AUTHORIZED_KEYS_PATH=s3://bucket/folder/`` turns it on. The key is put there by us and fetched by the node with
its AWS CLI and its own role, which needs s3:GetObject there.
"""

from __future__ import annotations

import os
import re
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.errors import BadInput

VARIABLE = "SSH_AUTHORIZED_KEYS_PATH"
# Bucket names, and of object names the part that needs no quoting in a shell.
_FOLDER = re.compile(r"s3://([a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])/?((?<=/)[A-Za-z0-9_.\-/=+@]*)?")


def wanted() -> str:
    """Return the bucket and folder that the user named, ``""``: none."""
    return os.environ.get(VARIABLE, "")


def put(s3: Any, folder: str, key: Key) -> str:
    """Put a public key into a bucket and return its address.

    Args:
        s3: client.
        folder: ``s3://bucket/folder/``.
        key: whose public half it is.

    Raises:
        BadInput: that is no such folder.
        AccessDenied: the caller may not write there.
    """
    found = _FOLDER.fullmatch(folder)
    if not found:
        raise BadInput(f"{VARIABLE} is not a folder of a bucket: {folder!r}", hint="write s3://my-bucket/my-folder/")
    bucket, prefix = found[1], (found[2] or "").strip("/")
    name = re.sub(r"[^A-Za-z0-9_.\-]", "-", key.identity.name.removesuffix(".pub")) + ".pub"
    path = f"{prefix}/{name}" if prefix else name
    with aws.errors_of(action="s3:PutObject"):
        s3.put_object(Bucket=bucket, Key=path, Body=f"{key.text}\n".encode())
    return f"s3://{bucket}/{path}"


def fetching(address: str) -> str:
    """Return the words of a shell that are the key, fetched.

    Args:
        address: what ``put`` returned.
    """
    return f"\"$(aws s3 cp '{address}' -)\""
