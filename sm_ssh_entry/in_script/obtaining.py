"""The artifacts of an installation at run time: what came along is checked against the locks, or it is fetched.

A program of its own: it runs on the interpreter of the distribution, 3.10 or later, with this folder on its path.

    FOLDER ARCH check|fetch [LOCK]

Nothing is taken that no lock names: a container cannot ask anybody whether a first checksum is the right one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from sm_ssh_entry import contract
from sm_ssh_entry.errors import ArtifactRefused, NotFound, SmSshError
from sm_ssh_entry.images import fetch, manifest, verify
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.locks import Locks
from sm_ssh_entry.images.manifest import Manifest
from sm_ssh_entry.images.network import Mirrors, Network
from sm_ssh_entry.images.sources import AGENT, OFFICIAL, PROGRAMS, STAND_IN, WHEELS, Part, Sources
from sm_ssh_entry.in_script.installation import LOCK_HINT

_COMPONENTS = (WHEELS, PROGRAMS, AGENT)
_WORKERS = 8


def main(words: Sequence[str]) -> int:
    """Check or fetch; return the exit status.

    Args:
        words: see the module.
    """
    folder, arch, how, lock = Path(words[0]), words[1], words[2], words[3]
    files = Path(__file__).resolve().parent.parent / "image_files" / "images"
    try:
        wanted = manifest.read(files / "artifacts.json")
        # The lock that came with our code wins: what lies beside artifacts can be changed by whoever can change them.
        locks = Locks(Path(lock) if lock else folder / "no.lock", files / "artifacts.lock")
        if how == "check":
            check(folder, arch, locks, wanted)
        else:
            bring(folder, arch, locks, wanted)
    except SmSshError as error:
        _say(f"ERROR {error.message} (hint: {error.hint})" if error.hint else f"ERROR {error.message}")
        return 1
    return 0


def check(folder: Path, arch: str, locks: Locks, wanted: Manifest) -> None:
    """Check what the layer takes of a folder of artifacts: size and checksum are those of the lock.

    Args:
        folder: the folder.
        arch: processor.
        locks: what is locked.
        wanted: what is wanted.

    Raises:
        ArtifactRefused: a file is not the locked one, or is in no lock.
    """
    ours = (f"{WHEELS}/", f"{PROGRAMS}/{arch}/", f"{AGENT}/{arch}/")
    about = (folder / AGENT / arch / fetch.ABOUT).read_text(encoding="utf-8")
    for found in verify.verify(folder, locks, wanted, {}):
        if not found.file.startswith(ours):
            continue
        if found.state not in verify.SOUND:
            raise ArtifactRefused(f"{found.file} is {found.state.value}", hint="sm-ssh image verify says more")
        made = found.file.startswith(ours[2]) and (found.file.endswith(fetch.ABOUT) or f'"{STAND_IN}"' in about)
        if locks.entry(found.file) is None and not made:
            raise ArtifactRefused(f"{found.file} is in no lock", hint=LOCK_HINT)
    if f'"{STAND_IN}"' in about:
        _say("WARNING the agent is the stand-in of the local control plane: it cannot reach AWS")


def bring(folder: Path, arch: str, locks: Locks, wanted: Manifest) -> None:
    """Fetch what the layer takes: wheels, programs and the official agent, each as it is locked.

    Args:
        folder: where to.
        arch: processor.
        locks: what is locked.
        wanted: what is wanted.

    Raises:
        ArtifactRefused: something is in no lock, or not what is locked.
        SmSshError: something cannot be fetched.
    """
    parts = [_locked(component, arch, locks, wanted) for component in _COMPONENTS]
    network = Network(Mirrors.parse(os.environ.get(contract.MIRRORS, "").split()), say=_say)
    sources = Sources(wanted, locks, network, folder, progress=Lines(), keys={})
    entrypoint = Path(__file__).resolve().parent.parent / "entrypoint"
    _say(f"fetching {sum(one.size for part in parts for one in part.entries) / 1e6:.0f} MB")
    fetch.fetch(parts, sources, locks, fetch.Place(folder, entrypoint, _WORKERS, {}))


def _locked(component: str, arch: str, locks: Locks, wanted: Manifest) -> Part:
    name = component if component == WHEELS else f"{component}/{arch}"
    source, version = (OFFICIAL, wanted.agent.version) if component == AGENT else ("pypi", "")
    found: Iterable[Entry] = locks.find(component, source, name, version)
    if not found:
        raise NotFound(f"the lock has no {name} ({' '.join((source, version)).strip()})", hint=LOCK_HINT)
    return Part(component, source, name, tuple(found))


class Lines:
    """Tells in lines; how far a single download is, it does not tell."""

    def begin(self, name: str, total: int) -> None:
        """Say nothing of a file that begins."""

    def at(self, name: str, done: int, total: int) -> None:
        """Say nothing of its bytes."""

    def end(self, name: str, how: str) -> None:
        """Say nothing of its end."""

    def say(self, line: str) -> None:
        """Write a line."""
        _say(line)


def _say(text: str) -> None:
    sys.stderr.write(f"{contract.LAYER_LINE}{' '.join(text.split())}\n")
    sys.stderr.flush()
