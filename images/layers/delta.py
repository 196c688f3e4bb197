"""Copies what the build added to the image or changed in it into /delta: the layer, to go on the untouched base."""

import filecmp
import os
import shutil
import stat
from pathlib import Path

import record

BASE, DELTA = "/run/sm-ssh-build/base", "/delta"
# What a build leaves that no image needs, or that must differ between containers.
SKIPPED = {
    *("delta", "run", "tmp", "root/.cache", "etc/machine-id", "etc/.pwd.lock"),
    *(
        "var/cache",
        "var/log",
        "var/tmp",
        "var/lib/apt/lists",
        "var/lib/apt/extended_states",
        "var/lib/dnf",
        "var/lib/systemd",
    ),
    *("var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend", "var/lib/dpkg/triggers/Lock"),
}
# Copies that tools keep of what they replaced.
BACKUPS = ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "-old")


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
    # Nobody can set ctime: where inode and times are equal it is the very file of the base, however large.
    identity = (new.st_size, new.st_ino, new.st_mtime_ns, new.st_ctime_ns)
    if not stat.S_ISREG(new.st_mode) or identity == (old.st_size, old.st_ino, old.st_mtime_ns, old.st_ctime_ns):
        return True
    return new.st_size == old.st_size and filecmp.cmp(ours, theirs, shallow=False)


def copy(ours: str, target: str) -> None:
    """Copy one path with owner, mode, time and extended attributes, its parents first."""
    if not os.path.isdir(parent := os.path.dirname(target)):
        copy(os.path.dirname(ours), parent)
    info = os.lstat(ours)
    if stat.S_ISDIR(info.st_mode):
        os.mkdir(target)
    else:
        shutil.copyfile(ours, target, follow_symlinks=False)
    os.chown(target, info.st_uid, info.st_gid, follow_symlinks=False)  # first: it clears capabilities
    shutil.copystat(ours, target, follow_symlinks=False)


def mounts() -> set[str]:
    """Return where the build has mounted something: /proc, /etc/resolv.conf, our own folders."""
    return {line.split()[4].lstrip("/") for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def main() -> None:
    """Make /delta and write into it what it consists of."""
    os.mkdir(DELTA)
    skipped = SKIPPED | mounts()
    added = []
    for folder, names, files in os.walk("/"):
        inside = folder.lstrip("/")
        names[:] = [name for name in names if os.path.join(inside, name) not in skipped]
        for name in sorted(names + files):
            path = os.path.join(inside, name)
            if path in skipped or path.endswith(BACKUPS) or same("/" + path, os.path.join(BASE, path)):
                continue
            if not os.path.lexists(os.path.join(DELTA, path)):
                copy("/" + path, os.path.join(DELTA, path))
            added.append("/" + path)
    record.write(added, DELTA)
    if moment := os.environ.get("SOURCE_DATE_EPOCH"):
        for folder, names, files in os.walk(DELTA, topdown=False):
            for name in names + files:
                os.utime(os.path.join(folder, name), (int(moment),) * 2, follow_symlinks=False)


main()
