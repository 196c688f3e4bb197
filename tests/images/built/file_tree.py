"""Every file of an image, as its layers have them, to compare one image with another."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import tarfile
from collections.abc import Mapping
from typing import NamedTuple

from tests.images.built import engine


class Node(NamedTuple):
    """What a path of an image is: its kind, permission bits, owner, and what it holds or points to."""

    kind: bytes
    mode: int
    uid: int
    gid: int
    link: str
    digest: str
    size: int


@functools.cache
def tree(image: str) -> Mapping[str, Node]:
    """Return path → node for every path of an image, without the first slash. Nothing of the image is run.

    Kept: a name means the same image all through a test run, and reading one takes seconds.

    Args:
        image: its name.
    """
    words = ("create", "--label", engine.LABEL, "--network", "none", "--entrypoint", "none", image)
    container = engine.docker(*words).stdout.strip()
    try:
        with (
            subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as child,
            tarfile.open(fileobj=child.stdout, mode="r|") as archive,
        ):
            found = {item.name.rstrip("/"): _node(archive, item) for item in archive}
            assert child.stdout is not None
            while child.stdout.read(1 << 20):
                pass  # what pads the archive's end: unread, the client would fail to write it
        assert child.returncode == 0
    finally:
        engine.docker("rm", "--force", container)
    return found


def _node(archive: tarfile.TarFile, item: tarfile.TarInfo) -> Node:
    digest = ""
    if item.isfile() and (file := archive.extractfile(item)):
        hashed = hashlib.sha256()
        while block := file.read(1 << 20):
            hashed.update(block)
        digest = hashed.hexdigest()
    return Node(item.type, item.mode, item.uid, item.gid, item.linkname, digest, item.size)
