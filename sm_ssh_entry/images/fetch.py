"""Fetch: what is wanted → where it is → files in their places → our own products → the sums that a build checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry.images import container_wheel, stand_in, sums
from sm_ssh_entry.images.download import Progress
from sm_ssh_entry.images.locks import Locks
from sm_ssh_entry.images.manifest import Manifest
from sm_ssh_entry.images.network import Network
from sm_ssh_entry.images.parallel import fetch_all
from sm_ssh_entry.images.sources import AGENT, STAND_IN, WHEELS, Part, Sources
from sm_ssh_entry.images.storage import sha256_of, write_whole

ABOUT = "about.json"


@dataclass(frozen=True)
class Wanted:
    """What a user asks for.

    Args:
        arches: processors.
        systems: base images' systems.
        components: of sources.COMPONENTS.
        agent: its source.
    """

    arches: tuple[str, ...]
    systems: tuple[str, ...]
    components: tuple[str, ...]
    agent: str


@dataclass(frozen=True)
class Place:
    """Where things lie.

    Args:
        folder: the folder of artifacts.
        entrypoint: the folder of the files that go into an image as they are.
        workers: downloads at once.
    """

    folder: Path
    entrypoint: Path
    workers: int


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Args:
        parts: what was fetched, all locked.
        made: our own products, below the folder of artifacts.
        removed: what an earlier fetch had left in the same folders.
        locked: whether the user's lock has changed.
    """

    parts: tuple[Part, ...]
    made: tuple[str, ...]
    removed: tuple[str, ...]
    locked: bool


def find(wanted: Wanted, sources: Sources) -> list[Part]:
    """Return where all that is wanted is.

    Args:
        wanted: what.
        sources: who has it.

    Raises:
        SmSshError: something can be had from nobody.
    """
    parts: list[Part] = []
    if WHEELS in wanted.components:
        parts.append(sources.wheels())
    if AGENT in wanted.components:
        parts += [sources.agent(arch, wanted.agent) for arch in wanted.arches]
    return parts


def fetch(
    manifest: Manifest, locks: Locks, parts: Sequence[Part], place: Place, network: Network, progress: Progress
) -> Outcome:
    """Bring parts to their places, lock what was not locked, make our own products and the sums.

    Args:
        manifest: what is wanted.
        locks: what is locked.
        parts: from find.
        place: where to.
        network: opens addresses.
        progress: is told.

    Raises:
        ArtifactRefused: a file is not the locked one.
        NoSpace: the disk is full; what has come stays.
        SmSshError: something cannot be fetched.
    """
    came = fetch_all(
        [one for part in parts for one in part.entries], place.folder, network, progress, workers=place.workers
    )
    by_file = {entry.file: entry for entry in came}
    parts = [Part(p.component, p.source, p.folder, tuple(by_file[one.file] for one in p.entries)) for p in parts]
    locked = locks.keep(came)
    made = _products(manifest, parts, place)
    fresh = {one.file: one.sha256 for one in came} | {name: sha256_of(place.folder / name) for name in made}
    removed = sums.renew(place.folder, fresh, {name.rpartition("/")[0] for name in fresh})
    return Outcome(tuple(parts), tuple(made), tuple(removed), locked)


def _products(manifest: Manifest, parts: Sequence[Part], place: Place) -> list[str]:
    made: dict[str, bytes] = {}
    for part in parts:
        made |= _MAKERS.get(part.component, _about)(manifest, part, place)
    for name, content in made.items():
        write_whole(place.folder / name, content)
    return sorted(made)


def _container(manifest: Manifest, part: Part, place: Place) -> dict[str, bytes]:
    wanted = manifest.wheels
    return {
        f"wheel/{container_wheel.FILE}": container_wheel.build(wanted.requirements, wanted.python, place.entrypoint)
    }


def _agent(manifest: Manifest, part: Part, place: Place) -> dict[str, bytes]:
    if part.source != STAND_IN:
        return _about(manifest, part, place)
    arch = part.folder.rpartition("/")[2]
    folder = f"{AGENT}/{arch}"
    package = stand_in.build(arch, part.entries, place.folder)
    return {f"{folder}/amazon-ssm-agent.deb": package, f"{folder}/{ABOUT}": _says(STAND_IN, stand_in.version())}


def _about(manifest: Manifest, part: Part, place: Place) -> dict[str, bytes]:
    return {f"{part.folder}/{ABOUT}": _says(part.source, part.entries[0].version)}


def _says(source: str, version: str) -> bytes:
    return (json.dumps({"source": source, "version": version}) + "\n").encode()


_Maker = Callable[[Manifest, Part, Place], dict[str, bytes]]
_MAKERS: dict[str, _Maker] = {WHEELS: _container, AGENT: _agent}
