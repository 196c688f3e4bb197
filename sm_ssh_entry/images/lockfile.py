"""What we got: one sorted JSON list of files, each with where it is from, its size and its checksum.

The shipped one holds what never changes at its address (wheels); the user's own, all else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images.storage import write_whole

_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, order=True)
class Entry:
    """One file.

    Args:
        component: ``wheels``, ``programs``, ``agent``, ``aws-cli`` or ``packages``.
        source: who publishes it: ``pypi``, ``official``, ``stand-in``, ``debian-12``.
        file: path below the folder of artifacts, with ``/``.
        url: its public address, before any mirror.
        size: bytes; -1: not known before it is there (never in a lock).
        sha256: hexadecimal; empty: not known before it is there (never in a lock).
        version: its publisher's name for it.
    """

    component: str
    source: str
    file: str
    url: str
    size: int
    sha256: str
    version: str

    @property
    def locked(self) -> bool:
        """Whether size and checksum are known."""
        return bool(self.sha256)

    @property
    def folder(self) -> str:
        """The folder that it lies in, with ``/``."""
        return str(PurePosixPath(self.file).parent)

    def seen(self, size: int, sha256: str) -> Entry:
        """Return it with the size and the checksum of the file that came."""
        return replace(self, size=size, sha256=sha256)


def read(path: Path) -> dict[str, Entry]:
    """Read a lock; one that is not there holds nothing.

    Args:
        path: the file.

    Raises:
        BadInput: it is no lock.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read the lock {path}: {error}", hint="sm-ssh image lock makes one") from error
    if not isinstance(rows, list):
        raise BadInput(f"{path} is no lock: a JSON list is expected", hint="sm-ssh image lock makes one")
    found = [_entry(row, path) for row in rows]
    return {entry.file: entry for entry in found}


def write(path: Path, entries: Iterable[Entry]) -> None:
    """Write a lock whole or not at all.

    Args:
        path: the file.
        entries: what it holds; those that are not locked are left out.

    Raises:
        NoSpace: the disk is full.
        BadInput: the file cannot be written.
    """
    rows = [json.dumps(asdict(entry)) for entry in sorted(entries) if entry.locked]
    write_whole(path, ("[\n" + ",\n".join(rows) + "\n]\n" if rows else "[]\n").encode())


def relative(name: str) -> bool:
    """Whether a path stays below the folder it is put in: a lock comes from elsewhere."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and "\\" not in name and ".." not in parts and ":" not in parts[0]


def _entry(row: object, path: Path) -> Entry:
    if not isinstance(row, Mapping):
        raise BadInput(f"{path}: an entry is no object")
    try:
        found = Entry(**row)
    except TypeError as error:
        raise BadInput(f"{path}: {error}") from error
    words = (found.component, found.source, found.file, found.url, found.sha256, found.version)
    sound = all(isinstance(word, str) for word in words) and isinstance(found.size, int) and found.size >= 0
    if not sound or len(found.sha256) != 64 or not set(found.sha256) <= _HEX or not relative(found.file):
        raise BadInput(f"{path}: not a file with size and sha256: {found.file}")
    return found
