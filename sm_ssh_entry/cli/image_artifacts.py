"""``sm-ssh image lock | fetch | verify``."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from sm_ssh_entry.images.fetch import Outcome

C = TypeVar("C", bound=Callable[..., Any])
_ARCHES = ("amd64", "arm64")
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_FOLDER = Path("images") / "artifacts"
_FILE = click.Path(dir_okay=False, path_type=Path)


def _what(command: C) -> C:
    """Add the options that say what images are made of, and where it comes from."""
    for option in (
        click.option("--parallel", type=click.IntRange(1, 32), default=4, show_default=True, help="Downloads at once."),
        click.option("--mirror", metavar="PREFIX=URL", multiple=True, help="Fetch what begins with PREFIX from URL; file:// too."),
        click.option("--arch", type=click.Choice(_ARCHES), multiple=True, help="Processor; default: this machine's. Repeatable."),
        click.option("--agent", type=click.Choice(["auto", "official", "stand-in"]), default="auto", show_default=True,
                     help="auto: the official one, and the stand-in where AWS cannot be reached."),
        click.option("--toml", type=_FILE, help="What is wanted; default: the artifacts.toml that comes with sm-ssh."),
        click.option("--lock", type=_FILE, help="Your lock; default: artifacts.lock in the folder of --to."),
        click.option("--to", type=click.Path(file_okay=False, path_type=Path), default=_FOLDER, show_default=True,
                     help="Folder of artifacts."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_what
@click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
def fetch(
    to: Path,
    lock: Path | None,
    toml: Path | None,
    agent: str,
    arch: tuple[str, ...],
    mirror: tuple[str, ...],
    parallel: int,
    output: str,
) -> int:
    """Download what images are made of, each file checked against the lock; goes on where an earlier fetch stopped.

    What neither your lock nor the one that comes with sm-ssh holds is resolved now and kept in your lock (--lock).
    """
    from sm_ssh_entry.boot import layout
    from sm_ssh_entry.cli.image_progress import shown
    from sm_ssh_entry.images import fetch as path
    from sm_ssh_entry.images import files, manifest
    from sm_ssh_entry.images.locks import NAME, Locks
    from sm_ssh_entry.images.network import Mirrors, Network
    from sm_ssh_entry.images.sources import COMPONENTS, Sources

    shipped = files.source() / "images"
    what = manifest.read(toml or shipped / "artifacts.toml")
    locks = Locks(shipped / "artifacts.lock", lock or to / NAME)
    network = Network(Mirrors.parse(mirror))
    wanted = path.Wanted(arch or (_this_machine(),), (), COMPONENTS, agent)
    with shown() as progress:
        parts = path.find(wanted, Sources(what, locks, network, progress))
        place = path.Place(to, layout.source(), parallel)
        outcome = path.fetch(what, locks, parts, place, network, progress)
    _tell(outcome, to, locks.own, output)
    return 0


def _tell(outcome: Outcome, to: Path, lock: Path, output: str) -> None:
    if output == "json":
        click.echo(json.dumps({"to": str(to), "files": [], "made": list(outcome.made)}, indent=1))
        return
    files = sum(len(part.entries) for part in outcome.parts)
    click.echo(f"{files} files are in {to}, checked; {len(outcome.made)} made here")
    for part in outcome.parts:
        click.echo(f"  {part.folder}: {part.source}")
    if outcome.locked:
        print(f"what was not locked before now is, in {lock}", file=sys.stderr)


def _this_machine() -> str:
    machine = platform.machine().lower()
    if machine not in _MACHINES:
        raise BadInput(
            f"no images are made for this machine's processor, {machine}", hint="--arch amd64 or --arch arm64"
        )
    return _MACHINES[machine]
