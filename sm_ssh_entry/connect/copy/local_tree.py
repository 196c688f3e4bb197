"""Walking a folder of this machine."""
# Paths stay texts as they were written: Path takes dots and last slashes away.
# ruff: noqa: PTH110, PTH111, PTH116, PTH207

from __future__ import annotations

import glob
import os
import stat
from pathlib import Path

from sm_ssh_entry.connect.copy import failures
from sm_ssh_entry.connect.copy.found import BROKEN, LOOP, OUTSIDE, SPECIAL, Found, Tree
from sm_ssh_entry.connect.copy.shown import shown


def expand(source: str) -> list[str]:
    """Return what a pattern means; a shell does it before us, except on Windows.

    Args:
        source: path as it was written.
    """
    path = os.path.expanduser(source)
    if not os.path.lexists(path) and glob.has_magic(path):
        return sorted(glob.glob(path)) or [path]
    return [path]


def walk(source: str, *, follow: bool) -> Tree:
    """Find all that a path stands for.

    Links inside a folder stand for what they point to, if that is in the folder too; the path itself may be a link.

    Args:
        source: file or folder.
        follow: also copy what links outside the folder point to.

    Raises:
        SmSshError: it is not there, or may not be read.
    """
    tree = Tree()
    try:
        status = os.stat(source)
        real = os.path.realpath(source)
    except OSError as error:
        raise failures.here(error, source) from error
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        tree.skipped.append(f"{shown(source)}: {SPECIAL}")
        return tree
    tree.found.append(_found(source, "", status))
    if stat.S_ISDIR(status.st_mode):
        _folder(tree, source, "", (real,), root="" if follow else real)
    return tree


def _folder(tree: Tree, folder: str, inside: str, above: tuple[str, ...], *, root: str) -> None:
    """Walk one folder.

    Args:
        tree: takes what is found.
        folder: its path.
        inside: its path below the first.
        above: real paths of it and all that it was reached through.
        root: what links may not lead out of; ``""``: they may lead anywhere.
    """
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        tree.failures.append(failures.here(error, folder))
        return
    for entry in entries:
        below = f"{inside}/{entry.name}" if inside else entry.name
        try:
            real = os.path.realpath(entry.path) if entry.is_symlink() else str(Path(above[-1]) / entry.name)
            if entry.is_symlink() and not os.path.exists(real):
                tree.skipped.append(f"{shown(entry.path)}: {BROKEN}")
                continue
            if root and os.path.commonpath((root, real)) != root:
                tree.skipped.append(f"{shown(entry.path)}: {OUTSIDE}")
                continue
            status = entry.stat()
        except (OSError, ValueError) as error:
            tree.failures.append(
                failures.here(error if isinstance(error, OSError) else OSError(0, str(error)), entry.path)
            )
            continue
        if stat.S_ISDIR(status.st_mode):
            if real in above:
                tree.skipped.append(f"{shown(entry.path)}: {LOOP}")
                continue
            tree.found.append(_found(entry.path, below, status))
            _folder(tree, entry.path, below, (*above, real), root=root)
        elif stat.S_ISREG(status.st_mode):
            tree.found.append(_found(entry.path, below, status))
        else:
            tree.skipped.append(f"{shown(entry.path)}: {SPECIAL}")


def _found(path: str, inside: str, status: os.stat_result) -> Found:
    folder = stat.S_ISDIR(status.st_mode)
    # Windows has no permission bits, only what Python makes up.
    mode = None if os.name == "nt" else status.st_mode & 0o777
    return Found(path, inside, folder, 0 if folder else status.st_size, status.st_mtime_ns, int(status.st_mtime), mode)
