"""Files that a job's containers wrote, read without following any link: what those lead to is this machine's.

A container may change its folders while they are read, so each step down is taken from the folder above it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# A pipe would let the reader wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Found:
    """One regular file below a folder.

    Args:
        path: where it is below the folder.
        like: its size and its time of change, by which a later look tells whether it is another.
        folder: the folder that it is in, open; while its turn in the walk lasts.
    """

    path: PurePosixPath
    like: tuple[int, int]
    folder: int

    def open(self) -> IO[bytes]:
        """Open it.

        Raises:
            OSError: it is gone, unreadable, or has become something else.
        """
        return _opened(self.path.name, self.folder)


def walk(root: Path, path: PurePosixPath) -> Iterator[Found]:
    """Give the regular files below a folder of a node; a folder that is not there has none.

    Args:
        root: the node's root, which is ours.
        path: the folder below it.
    """
    with contextlib.suppress(OSError), contextlib.ExitStack() as above:
        top = _down(above, root, path.parts)
        for place, folders, names, folder in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            folders.sort()
            for name in sorted(names):
                with contextlib.suppress(OSError):
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        yield Found(PurePosixPath(place) / name, (found.st_size, found.st_mtime_ns), folder)


def read(root: Path, path: PurePosixPath, most: int) -> bytes | None:
    """Return the beginning of a node's file; None: there is none that can be read.

    Args:
        root: the node's root, which is ours.
        path: the file below it.
        most: how many bytes.
    """
    with contextlib.suppress(OSError), contextlib.ExitStack() as above:
        file = above.enter_context(_opened(path.name, _down(above, root, path.parent.parts)))
        return file.read(most)
    return None


def _down(above: contextlib.ExitStack, root: Path, parts: tuple[str, ...]) -> int:
    folder = os.open(root, _FOLDER)
    above.callback(os.close, folder)
    for part in parts:
        folder = os.open(part, _FOLDER, dir_fd=folder)
        above.callback(os.close, folder)
    return folder


def _opened(name: str, folder: int) -> IO[bytes]:
    descriptor = os.open(name, _FILE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} is not a file")
    return os.fdopen(descriptor, "rb")
