"""Files on disk: written whole or not at all, hashed, and what a full disk is called."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sm_ssh_entry.errors import BadInput, NoSpace

BLOCK = 1 << 18
# EFBIG: a limit on the size of files (ulimit -f) is as full as a disk can be.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into its error.

    Args:
        path: what the message names.

    Raises:
        NoSpace: the disk, a quota or a limit is full.
        BadInput: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(
                f"no space left for {path}",
                hint="make room and run it again: what is there stays, it goes on from there",
            ) from error
        raise BadInput(f"cannot write {path}: {error.strerror or error}") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name beside it and rename it.

    Args:
        path: the file; its folder is made.
        content: all of it.

    Raises:
        NoSpace: the disk is full.
        BadInput: the file cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(content)
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return a file's checksum.

    Args:
        path: the file.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
