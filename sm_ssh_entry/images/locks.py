"""The two locks as one: the shipped one, and the user's own, which wins and is the only one written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from sm_ssh_entry.images import lockfile
from sm_ssh_entry.images.lockfile import Entry

NAME = "artifacts.lock"
_Group: TypeAlias = tuple[str, str, str]


class Locks:
    """What is locked.

    Args:
        shipped: the lock that comes with sm-ssh.
        own: the user's.
    """

    def __init__(self, shipped: Path, own: Path) -> None:
        self.own = own
        self._shipped = lockfile.read(shipped)
        self._own = lockfile.read(own)

    def find(self, component: str, source: str, folder: str, version: str = "") -> list[Entry]:
        """Return what is locked for one folder of artifacts; the user's own lock alone where it has something.

        Args:
            component: ``wheels`` for one.
            source: ``official`` for one.
            folder: below the folder of artifacts.
            version: what it must be; empty: any.
        """
        group = (component, source, folder)
        found = _of(self._own, group) or _of(self._shipped, group)
        return found if all(one.version == version or not version for one in found) else []

    def entry(self, file: str) -> Entry | None:
        """Return what is locked for one file.

        Args:
            file: below the folder of artifacts.
        """
        return self._own.get(file) or self._shipped.get(file)

    def keep(self, fresh: Iterable[Entry], *, whole: bool = False) -> bool:
        """Put whole folders into the user's own lock, instead of what is locked for them.

        Args:
            fresh: all entries of some folders, all locked.
            whole: keep also what the shipped lock holds just so: the user's own is then enough by itself.

        Returns:
            Whether it has changed.

        Raises:
            NoSpace: the disk is full.
            BadInput: it cannot be written.
        """
        groups: dict[_Group, list[Entry]] = {}
        for entry in sorted(fresh):
            groups.setdefault(_group(entry), []).append(entry)
        changed = {
            group: entries
            for group, entries in groups.items()
            if (_of(self._own, group) if whole else self.find(*group)) != entries
        }
        if changed:
            kept = [one for one in self._own.values() if _group(one) not in changed]
            lockfile.write(self.own, [*kept, *(one for entries in changed.values() for one in entries)])
            self._own = lockfile.read(self.own)
        return bool(changed)


def _group(entry: Entry) -> _Group:
    return entry.component, entry.source, entry.folder


def _of(lock: Mapping[str, Entry], group: _Group) -> list[Entry]:
    return sorted(one for one in lock.values() if _group(one) == group)
