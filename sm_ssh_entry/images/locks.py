"""The two locks as one: the shipped one, and the user's own, which wins and is the only one written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sm_ssh_entry.images import lockfile
from sm_ssh_entry.images.lockfile import Entry

NAME = "artifacts.lock"


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
        for lock in (self._own, self._shipped):
            found = [
                one for one in lock.values() if (one.component, one.source, one.folder) == (component, source, folder)
            ]
            if found and all(one.version == version or not version for one in found):
                return sorted(found)
        return []

    def entry(self, file: str) -> Entry | None:
        """Return what is locked for one file.

        Args:
            file: below the folder of artifacts.
        """
        return self._own.get(file) or self._shipped.get(file)

    def keep(self, fresh: Iterable[Entry]) -> bool:
        """Put whole folders into the user's own lock, instead of what is locked for them.

        Args:
            fresh: all entries of some folders, all locked.

        Returns:
            Whether it has changed.

        Raises:
            NoSpace: the disk is full.
            BadInput: it cannot be written.
        """
        parts: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in sorted(fresh):
            parts.setdefault((entry.component, entry.source, entry.folder), []).append(entry)
        changed = {part: entries for part, entries in parts.items() if self.find(*part) != entries}
        if changed:
            kept = [one for one in self._own.values() if (one.component, one.source, one.folder) not in changed]
            lockfile.write(self.own, [*kept, *(one for entries in changed.values() for one in entries)])
            self._own = lockfile.read(self.own)
        return bool(changed)
