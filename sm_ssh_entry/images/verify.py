"""Verify: every file of the folder of artifacts against the lock, the sums and its publisher's signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sm_ssh_entry.errors import ArtifactRefused, NotFound
from sm_ssh_entry.images import sums
from sm_ssh_entry.images.fetch import ABOUT
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.locks import Locks
from sm_ssh_entry.images.manifest import Manifest
from sm_ssh_entry.images.signature import check_detached
from sm_ssh_entry.images.sources import AGENT, OFFICIAL, STAND_IN
from sm_ssh_entry.images.storage import sha256_of


class State(Enum):
    """What a file is found to be."""

    GOOD = "good"
    SIGNED = "good, signed"
    MISSING = "missing"
    DAMAGED = "not the locked file"
    UNLISTED = "not in SHA256SUMS"
    MISSTATED = "SHA256SUMS is not what is locked"
    UNSIGNED = "its signature does not hold"


SOUND = frozenset({State.GOOD, State.SIGNED})


@dataclass(frozen=True)
class Finding:
    """One file.

    Args:
        file: below the folder of artifacts.
        state: what it is.
        detail: more of it; may be empty.
    """

    file: str
    state: State
    detail: str = ""


def verify(folder: Path, locks: Locks, manifest: Manifest, keys: Mapping[str, Path]) -> list[Finding]:
    """Return what every file is, sorted by its path.

    Args:
        folder: the folder of artifacts.
        locks: what is locked.
        manifest: whose keys sign what.
        keys: component → its publisher's public key.

    Raises:
        NotFound: nothing was ever fetched to that folder.
        BadInput: a key cannot be read.
        ToolMissing: a key is given and gpgv is not there.
    """
    listed = sums.read(folder)
    if not listed:
        raise NotFound(f"nothing was fetched to {folder}", hint="sm-ssh image fetch")
    known = {sums.NAME, locks.own.name}
    there = {str(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file()}
    found = [_judged(name, folder, listed[name], locks) for name in listed]
    # What an interrupted fetch left is no artifact, and no build takes it.
    found += [Finding(name, State.UNLISTED) for name in there - known - set(listed) if not _partial(name)]
    return sorted((_signed(one, folder, locks, manifest, keys) for one in found), key=lambda one: one.file)


def _judged(name: str, folder: Path, listed: str, locks: Locks) -> Finding:
    path = folder / name
    locked = _locked(name, folder, locks)
    if not path.is_file():
        return Finding(name, State.MISSING)
    sha256 = sha256_of(path)
    if locked is None:
        # Ours: made of what is locked, by the program that runs now or by an earlier one.
        return Finding(name, State.GOOD) if sha256 == listed else Finding(name, State.DAMAGED, f"sha256 {sha256}")
    if (path.stat().st_size, sha256) != (locked.size, locked.sha256):
        return Finding(name, State.DAMAGED, f"sha256 {sha256}, locked is {locked.sha256}")
    return Finding(name, State.GOOD) if listed == locked.sha256 else Finding(name, State.MISSTATED)


def _signed(found: Finding, folder: Path, locks: Locks, manifest: Manifest, keys: Mapping[str, Path]) -> Finding:
    entry = _locked(found.file, folder, locks)
    if found.state is not State.GOOD or entry is None or entry.source != OFFICIAL or entry.component not in keys:
        return found
    published = manifest.official(entry.component)
    if found.file.endswith(published.signature):
        return found
    signature = folder / f"{found.file}{published.signature}"
    try:
        check_detached(folder / found.file, signature, keys[entry.component], published.fingerprint)
    except ArtifactRefused as error:
        return Finding(found.file, State.UNSIGNED, error.message)
    return Finding(found.file, State.SIGNED)


def _locked(name: str, folder: Path, locks: Locks) -> Entry | None:
    """Return what is locked for a file; None: it is our own, also where the official one of its name is locked."""
    entry = locks.entry(name)
    if entry is not None and entry.component == AGENT:
        about = folder / entry.folder / ABOUT
        try:
            found = json.loads(about.read_text(encoding="utf-8"))["source"]
        except (OSError, ValueError, KeyError, TypeError):
            return entry
        return None if found == STAND_IN else entry
    return entry


def _partial(name: str) -> bool:
    return name.endswith((".part", ".part.tag"))
