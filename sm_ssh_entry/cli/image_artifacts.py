"""``sm-ssh image lock | fetch | verify``."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from sm_ssh_entry.images.fetch import Outcome, Place
    from sm_ssh_entry.images.locks import Locks
    from sm_ssh_entry.images.sources import Part, Sources

C = TypeVar("C", bound=Callable[..., Any])
_ARCHES = ("amd64", "arm64")
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_COMPONENTS = ("wheels", "programs", "agent", "aws-cli", "packages")
_FOLDER = Path("images") / "artifacts"
_FILE = click.Path(dir_okay=False, path_type=Path)
_OUTPUT = click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
_TO = click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    default=_FOLDER,
    show_default=True,
    help="Folder of artifacts.",
)
_TOML = click.option("--toml", type=_FILE, help="What is wanted; default: the artifacts.toml that comes with sm-ssh.")
_LOCK = click.option("--lock", type=_FILE, help="Your lock; default: artifacts.lock in the folder of --to.")
_KEY = click.option(
    "--key",
    metavar="NAME=FILE",
    multiple=True,
    help="Public key of agent or aws-cli, or keyring of a system (debian-12=FILE). Repeatable.",
)
_FROM = (
    click.option(
        "--for",
        "systems",
        metavar="SYSTEM",
        multiple=True,
        default=("debian-12", "debian-13"),
        show_default=True,
        help="System of a base image. Repeatable.",
    ),
    click.option(
        "--arch", type=click.Choice(_ARCHES), multiple=True, help="Processor; default: this machine's. Repeatable."
    ),
    click.option(
        "--agent",
        type=click.Choice(["auto", "official", "stand-in"]),
        default="auto",
        show_default=True,
        help="auto: the official one, and the stand-in where AWS cannot be reached.",
    ),
    click.option(
        "--aws-cli",
        type=click.Choice(["auto", "official", "debian", "none"]),
        default="auto",
        show_default=True,
        help="auto: the official one, and each distribution's own where AWS cannot be reached.",
    ),
    click.option(
        "--mirror", metavar="PREFIX=URL", multiple=True, help="Fetch what begins with PREFIX from URL; file:// too."
    ),
    click.option("--parallel", type=click.IntRange(1, 32), default=4, show_default=True, help="Downloads at once."),
    _TO,
    _LOCK,
    _TOML,
    _KEY,
    _OUTPUT,
)


@dataclass(frozen=True)
class _Request:
    """What every command that resolves is asked for."""

    systems: tuple[str, ...]
    arch: tuple[str, ...]
    agent: str
    aws_cli: str
    mirror: tuple[str, ...]
    parallel: int
    to: Path
    lock: Path | None
    toml: Path | None
    key: tuple[str, ...]
    output: str


def _resolving(command: C) -> C:
    for option in reversed(_FROM):
        command = option(command)
    return command


@click.command()
@_resolving
@click.option("--packages/--no-packages", default=False, help="Systems' packages too, for builds without a network.")
def fetch(packages: bool, **options: Any) -> int:
    """Download what images are made of, each file checked against the lock; goes on where an earlier fetch stopped.

    Two locks are read: yours (--lock), and the one that comes with sm-ssh. What neither holds is resolved now and kept
    in yours, which wins and is the only one that is ever written.
    """
    from sm_ssh_entry.images import fetch as path

    request = _Request(**options)
    components = [one for one in _COMPONENTS if one != "packages" or packages]
    with _prepared(request, components, renew=False) as (parts, sources, locks, place):
        outcome = path.fetch(parts, sources, locks, place)
    _tell(outcome, f"are in {request.to}, each with its checksum", locks, request.output)
    return 0


@click.command()
@_resolving
@click.option("--only", type=click.Choice(_COMPONENTS), multiple=True, help="Component; default: all. Repeatable.")
def lock(only: tuple[str, ...], **options: Any) -> int:
    """Resolve what images are made of to URLs, sizes and checksums, anew, into your lock (--lock).

    A publisher's own checksum is taken where there is one. Where there is none (AWS), the file is fetched, its
    signature is checked if you pass its key (--key), and what came is locked.
    """
    from sm_ssh_entry.images import fetch as path

    request = _Request(**options)
    with _prepared(request, only or _COMPONENTS, renew=True) as (parts, sources, locks, place):
        outcome = path.lock(parts, sources, locks, place)
    _tell(outcome, f"are in the lock {locks.own}", locks, request.output)
    return 0


@click.command()
@_TO
@_LOCK
@_TOML
@_KEY
@_OUTPUT
def verify(*, to: Path, lock: Path | None, toml: Path | None, key: tuple[str, ...], output: str) -> int:
    """Check every fetched file: its size and checksum against the locks, and its signature where you pass a key."""
    from sm_ssh_entry.errors import ArtifactRefused
    from sm_ssh_entry.images import files, manifest
    from sm_ssh_entry.images.locks import NAME, Locks
    from sm_ssh_entry.images.verify import SOUND, verify

    shipped = files.source() / "images"
    what = manifest.read(toml or shipped / "artifacts.toml")
    found = verify(to, Locks(shipped / NAME, lock or to / NAME), what, _keys(key))
    bad = [one for one in found if one.state not in SOUND]
    if output == "json":
        rows = [{"file": one.file, "good": one.state in SOUND, "state": one.state.value} for one in found]
        click.echo(json.dumps(rows, indent=1))
    else:
        for one in found:
            click.echo(f"{one.state.value:<34} {one.file}" + (f"  ({one.detail})" if one.detail else ""))
    if bad:
        raise ArtifactRefused(
            f"{len(bad)} of {len(found)} files in {to} must not be built from: {', '.join(one.file for one in bad)}",
            hint="sm-ssh image fetch fetches again what is damaged or missing",
        )
    if output == "plain":
        click.echo(f"{len(found)} files are good")
    return 0


@contextmanager
def _prepared(
    request: _Request, components: Sequence[str], *, renew: bool
) -> Iterator[tuple[list[Part], Sources, Locks, Place]]:
    from sm_ssh_entry.boot import layout
    from sm_ssh_entry.cli.image_progress import shown
    from sm_ssh_entry.images import fetch as path
    from sm_ssh_entry.images import files, manifest
    from sm_ssh_entry.images.locks import NAME, Locks
    from sm_ssh_entry.images.network import Mirrors, Network
    from sm_ssh_entry.images.sources import Sources

    shipped = files.source() / "images"
    what = manifest.read(request.toml or shipped / "artifacts.toml")
    locks = Locks(shipped / NAME, request.lock or request.to / NAME)
    mirrors, keys = Mirrors.parse(request.mirror), _keys(request.key)
    wanted = path.Wanted(
        request.arch or (_this_machine(),),
        request.systems,
        tuple(one for one in components if one != "aws-cli" or request.aws_cli != "none"),
        request.agent,
        request.aws_cli,
    )
    with shown() as progress:
        network = Network(mirrors, say=progress.say)
        sources = Sources(what, locks, network, request.to, progress=progress, keys=keys, renew=renew)
        place = path.Place(request.to, layout.source(), request.parallel, keys)
        yield path.find(wanted, sources), sources, locks, place


def _keys(words: Sequence[str]) -> dict[str, Path]:
    pairs = [word.partition("=") for word in words]
    if not all(name and mark and file for name, mark, file in pairs):
        raise BadInput("a key is NAME=FILE", hint="--key aws-cli=aws-cli.asc")
    return {name: Path(file) for name, _, file in pairs}


def _tell(outcome: Outcome, where: str, locks: Locks, output: str) -> None:
    if output == "json":
        parts = [
            {
                "component": part.component,
                "source": part.source,
                "files": [{"file": one.file, "size": one.size, "sha256": one.sha256} for one in part.entries],
            }
            for part in outcome.parts
        ]
        made, removed = list(outcome.made), list(outcome.removed)
        click.echo(json.dumps({"lock": str(locks.own), "parts": parts, "made": made, "removed": removed}, indent=1))
        return
    for part in outcome.parts:
        size = sum(one.size for one in part.entries)
        click.echo(f"{part.folder:<26} {part.source:<12} {len(part.entries):>4} files {size / 1e6:>8.1f} MB")
    for name in outcome.made:
        click.echo(f"made {name}")
    for name in outcome.removed:
        click.echo(f"removed {name}, of an earlier fetch")
    click.echo(f"{sum(len(part.entries) for part in outcome.parts)} files {where}")
    if outcome.locked:
        print(f"{locks.own} has changed: what was not locked now is", file=sys.stderr)


def _this_machine() -> str:
    machine = platform.machine().lower()
    if machine not in _MACHINES:
        raise BadInput(
            f"no images are made for this machine's processor, {machine}", hint="--arch amd64 or --arch arm64"
        )
    return _MACHINES[machine]
