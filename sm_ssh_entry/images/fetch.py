"""Fetch: what is wanted → where it is → files in their places → our own products → the sums that a build checks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sm_ssh_entry.errors import ArtifactRefused
from sm_ssh_entry.images import container_wheel, official, stand_in, sums
from sm_ssh_entry.images.distribution import AWS_CLI, PACKAGES
from sm_ssh_entry.images.locks import Locks
from sm_ssh_entry.images.manifest import Manifest
from sm_ssh_entry.images.parallel import fetch_all
from sm_ssh_entry.images.sources import AGENT, DEBIAN, OFFICIAL, PROGRAMS, STAND_IN, WHEELS, Part, Sources
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
        aws_cli: its source.
    """

    arches: tuple[str, ...]
    systems: tuple[str, ...]
    components: tuple[str, ...]
    agent: str
    aws_cli: str


@dataclass(frozen=True)
class Place:
    """Where things lie.

    Args:
        folder: the folder of artifacts.
        entrypoint: the folder of the files that go into an image as they are.
        workers: downloads at once.
        keys: component or system → file of public keys.
    """

    folder: Path
    entrypoint: Path
    workers: int
    keys: Mapping[str, Path]


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
    for name in wanted.systems:
        sources.system(name)  # a slip of the pen is told before anything is fetched
    if WHEELS in wanted.components:
        parts.append(sources.wheels())
    if PROGRAMS in wanted.components:
        parts += [sources.programs(arch) for arch in wanted.arches]
    if AGENT in wanted.components:
        parts += [sources.agent(arch, wanted.agent) for arch in wanted.arches]
    if AWS_CLI in wanted.components:
        parts += [one for arch in wanted.arches for one in sources.aws_cli(arch, wanted.aws_cli, wanted.systems)]
    if PACKAGES in wanted.components:
        parts += [sources.packages(arch, system) for system in wanted.systems for arch in wanted.arches]
    return parts


def fetch(parts: Sequence[Part], sources: Sources, locks: Locks, place: Place) -> Outcome:
    """Bring parts to their places, lock what was not locked, make our own products and the sums.

    Args:
        parts: from find.
        sources: from whom they are.
        locks: what is locked.
        place: where to.

    Raises:
        ArtifactRefused: a file is not the locked one, or its signature does not hold; it is removed.
        NoSpace: the disk is full; what has come stays.
        SmSshError: something cannot be fetched.
    """
    parts, first = _bring(parts, sources, locks, place)
    locked = locks.keep(one for part in parts for one in part.entries) or first
    made = _products(sources.manifest, parts, place)
    fresh = {one.file: one.sha256 for part in parts for one in part.entries}
    fresh |= {name: sha256_of(place.folder / name) for name in made}
    removed = sums.renew(place.folder, fresh, {name.rpartition("/")[0] for name in fresh})
    return Outcome(tuple(parts), tuple(made), tuple(removed), locked)


def lock(parts: Sequence[Part], sources: Sources, locks: Locks, place: Place) -> Outcome:
    """Lock parts. Only what has no checksum of its publisher's is fetched for it.

    Args:
        parts: from find.
        sources: from whom they are.
        locks: what is locked.
        place: where to.

    Raises:
        SmSshError: as fetch.
    """
    open_ends = [part for part in parts if not all(one.locked for one in part.entries)]
    brought, first = _bring(open_ends, sources, locks, place)
    came = {part.folder: part for part in brought}
    parts = [came.get(part.folder, part) for part in parts]
    locked = locks.keep((one for part in parts for one in part.entries), whole=True) or first
    return Outcome(tuple(parts), (), (), locked)


def _bring(parts: Sequence[Part], sources: Sources, locks: Locks, place: Place) -> tuple[list[Part], bool]:
    """Bring parts; return them, all locked, and whether the user's lock has changed."""
    came: dict[str, Part] = {}
    # What is not locked yet comes first, part by part, and is locked as it comes: an interruption loses little.
    for part in parts:
        if not all(one.locked for one in part.entries):
            (came[part.folder],) = _download([part], sources, place)
            locks.keep(came[part.folder].entries)
    rest = _download([part for part in parts if part.folder not in came], sources, place)
    first = bool(came)
    came |= {part.folder: part for part in rest}
    return [came[part.folder] for part in parts], first


def _download(parts: Sequence[Part], sources: Sources, place: Place) -> list[Part]:
    entries = [one for part in parts for one in part.entries]
    came = fetch_all(entries, place.folder, sources.network, sources.progress, workers=place.workers)
    by_file = {entry.file: entry for entry in came}
    for part in parts:
        if part.source == OFFICIAL:
            _check_signatures(part, sources, place)
    return [Part(one.component, one.source, one.folder, tuple(by_file[e.file] for e in one.entries)) for one in parts]


def _check_signatures(part: Part, sources: Sources, place: Place) -> None:
    published = sources.manifest.official(part.component)
    key = place.keys.get(part.component)
    if key is None:
        if not all(one.locked for one in part.entries):
            option = f"--key {part.component}=FILE"
            sources.progress.say(
                f"WARNING {part.folder}: locked as it came, its signature unchecked; {option} checks it"
            )
        return
    try:
        official.check(part.entries, published, place.folder, key)
    except ArtifactRefused:
        for entry in part.entries:
            (place.folder / entry.file).unlink(missing_ok=True)
        raise
    sources.progress.say(f"{part.folder}: signatures hold")


def _products(manifest: Manifest, parts: Sequence[Part], place: Place) -> list[str]:
    made: dict[str, bytes] = {}
    for part in parts:
        if part.component == WHEELS:
            wanted = manifest.wheels
            wheel = container_wheel.build(wanted.requirements, wanted.python, place.entrypoint)
            made[f"wheel/{container_wheel.FILE}"] = wheel
        elif part.source == STAND_IN:
            arch = part.folder.rpartition("/")[2]
            made[f"{AGENT}/{arch}/amazon-ssm-agent.deb"] = stand_in.build(arch, part.entries, place.folder)
            made[f"{AGENT}/{arch}/{ABOUT}"] = _about(STAND_IN, stand_in.version())
        elif part.component in (AGENT, AWS_CLI):
            # A source is "official", or a distribution: what builds ask for is which of the two.
            source = OFFICIAL if part.source == OFFICIAL else DEBIAN
            made[f"{part.folder}/{ABOUT}"] = _about(source, _version(manifest, part))
    for name, content in made.items():
        write_whole(place.folder / name, content)
    return sorted(made)


def _version(manifest: Manifest, part: Part) -> str:
    if part.source == OFFICIAL:
        return part.entries[0].version
    package = manifest.systems[part.source].aws_cli[0]
    return next(one.version for one in part.entries if PurePosixPath(one.file).name.startswith(f"{package}_"))


def _about(source: str, version: str) -> bytes:
    return (json.dumps({"source": source, "version": version}) + "\n").encode()
