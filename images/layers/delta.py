"""Copies what the build added to or changed in the image into one folder: the layer, which goes on the untouched base."""

import filecmp
import os
import shutil
import stat
import sys
from pathlib import Path

SKIPPED = ("dev", "proc", "run", "sys", "tmp", "delta", "var/cache", "var/lib/apt/lists", "var/log", "var/tmp")


def same(ours: str, theirs: str) -> bool:
    """Whether a path is what it was in the base."""
    try:
        old = os.lstat(theirs)
    except OSError:
        return False
    new = os.lstat(ours)
    if (new.st_mode, new.st_uid, new.st_gid) != (old.st_mode, old.st_uid, old.st_gid):
        return False
    if stat.S_ISLNK(new.st_mode):
        return os.readlink(ours) == os.readlink(theirs)
    if stat.S_ISREG(new.st_mode):
        return new.st_size == old.st_size and filecmp.cmp(ours, theirs, shallow=False)
    return True


def copy(ours: str, target: str) -> None:
    """Copy one path with owner, mode and time, its parents first."""
    parent = os.path.dirname(target)
    if not os.path.isdir(parent):
        copy(os.path.dirname(ours), parent)
    info = os.lstat(ours)
    if stat.S_ISDIR(info.st_mode):
        os.mkdir(target)
    else:
        shutil.copy2(ours, target, follow_symlinks=False)
    os.chown(target, info.st_uid, info.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(target, stat.S_IMODE(info.st_mode))


def main() -> None:
    base, delta = "/run/sm-ssh-build/base", "/delta"
    os.mkdir(delta)
    for folder, names, files in os.walk("/"):
        inside = folder.lstrip("/")
        names[:] = [name for name in names if os.path.join(inside, name) not in SKIPPED]
        for name in sorted(names + files):
            path = os.path.join(inside, name)
            if not same("/" + path, os.path.join(base, path)) and not os.path.lexists(os.path.join(delta, path)):
                copy("/" + path, os.path.join(delta, path))


main()
