"""What AWS publishes with a signature beside each file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.manifest import Official
from sm_ssh_entry.images.signature import check_detached


def check(entries: Sequence[Entry], published: Official, folder: Path, key: Path) -> None:
    """Check files against the signatures beside them.

    Args:
        entries: files and signatures.
        published: by whom.
        folder: the folder of artifacts.
        key: the publisher's public key.

    Raises:
        ArtifactRefused: a signature does not hold, or is another key's.
        BadInput: the key cannot be read.
        ToolMissing: gpgv is not there.
    """
    for entry in entries:
        if not entry.file.endswith(published.signature):
            path = folder / entry.file
            check_detached(path, folder / f"{entry.file}{published.signature}", key, published.fingerprint)
