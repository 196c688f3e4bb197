"""``sm-ssh list | wait``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.cli.spans import span_option
from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from datetime import timedelta

    from sm_ssh_entry.connect.access import Access, Reach
    from sm_ssh_entry.connect.fleet.listing import Entry, Question
    from sm_ssh_entry.connect.names import Target

# What fits a terminal's memory; who reads a pipe wants all.
_ON_TERMINAL = 200
_ME = "me"


@click.command(name="list")
@click.option("--region", "regions", multiple=True, metavar="REGION", help="AWS region; may be given several times.")
@click.option("--all-regions", is_flag=True, help="Every region of the partition, those that answer in time.")
@click.option("--profile", metavar="PROFILE", help="AWS profile; default: the environment's.")
@click.option("--owner", metavar="me|VALUE", default="", help="Only nodes with this tag SSHOwner; me: your aws:userid.")
@click.option("--status", type=click.Choice(["online", "lost", "unregistered"]), help="Only these.")
@span_option("--older-than", help="Only nodes not heard of for so long.")
@click.option(
    "--limit", type=click.IntRange(min=0), help="At most so many; 0: all. Default: 200 on a terminal, else all."
)
@click.option("--output", type=click.Choice(["table", "plain", "json"]), help="Default: table, in a pipe plain.")
@click.argument("kinds", nargs=-1, metavar="[KIND.sagemaker | NAME]...")
def list_nodes(  # noqa: PLR0917 - click hands over the options by name
    regions: tuple[str, ...],
    all_regions: bool,
    profile: str | None,
    owner: str,
    status: str | None,
    older_than: timedelta | None,
    limit: int | None,
    output: str | None,
    kinds: tuple[str, ...],
) -> int:
    """List what can be reached, nodes that are Online first, and what runs without having registered.

    KIND.sagemaker, training.sagemaker for one, lists that kind only; sagemaker or nothing lists all. NAME,
    my-job.training.sagemaker for one, lists the nodes that the name means, Online or not, and asks for no others.
    """
    from sm_ssh_entry.cli import listed
    from sm_ssh_entry.connect.access import Access
    from sm_ssh_entry.connect.fleet import whose
    from sm_ssh_entry.connect.fleet.listing import Question

    accesses = _accesses(regions, profile, all_regions)
    output = output or ("table" if sys.stdout.isatty() else "plain")
    named = _named(kinds)
    if named:
        chosen = owner or status or older_than is not None or limit is not None
        if chosen or len(accesses) > 1 or len(named) < len(kinds):
            raise BadInput("names of nodes go with no kind, no choice and one region", hint="sm-ssh list NAME...")
        meant = _of_names(accesses[0], named)
        if output == "json":
            listed.as_json(meant)
        else:
            (listed.table if output == "table" else listed.plain)(meant, regions=False)
        return 0
    limit = limit if limit is not None else (_ON_TERMINAL if sys.stdout.isatty() else 0)
    owned = whose.me(Access(accesses[0].region, profile)) if owner == _ME else owner
    question = Question(_kinds(kinds), owned, status or "", older_than, limit)
    several = len(accesses) > 1
    entries = _remembered(_answers(accesses, question) if several else _of_one(accesses[0], question))
    if output == "json":
        listed.as_json(entries)
    elif output == "plain":
        listed.plain(entries, regions=several)
    else:
        found = list(_counted(entries))
        listed.table(found, regions=several)
        if limit and len(found) >= limit:
            click.echo(f"sm-ssh: the first {len(found)}; --limit 0 shows all", err=True)
    return 0


@click.command()
@reach_options
@click.option("--timeout", type=click.FloatRange(min=0), default=900.0, show_default=True, help="Seconds.")
@click.option(
    "--for",
    "goal",
    type=click.Choice(["registered", "online", "ssh"]),
    default="online",
    show_default=True,
    help="A node has registered; its agent is connected; its sshd answers.",
)
@click.argument("name")
def wait(reach: Reach, timeout: float, goal: str, name: str) -> int:
    """Wait until NAME is Online, or what --for says, and print its node's id.

    Ends early when the job has ended or does not exist.
    """
    from sm_ssh_entry.connect import arrival, diagnose, names
    from sm_ssh_entry.connect.fleet import name_cache
    from sm_ssh_entry.errors import Unreachable

    target = names.parse(name)
    access = reach.towards(target)
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {target.host}: {line}", file=sys.stderr, flush=True)

    try:
        node = arrival.wait(access, target, timeout=timeout, progress=progress, goal=goal, reach=reach)
    except Unreachable as error:
        raise diagnose.call_failed(error, access) from error
    progress({"registered": "registered", "online": "Online", "ssh": "its sshd answers"}[goal] + f" as {node.node_id}")
    name_cache.remember([target.host])
    click.echo(node.node_id)
    return 0


def _kinds(given: tuple[str, ...]) -> tuple[str, ...]:
    from sm_ssh_entry.connect import names

    if any(word.lower() in {"sagemaker", "*.sagemaker"} for word in given):
        return ()
    return tuple(dict.fromkeys(names.parse_kind(word) for word in given))


def _named(words: tuple[str, ...]) -> list[Target]:
    """Return what the names of nodes among the words mean."""
    from sm_ssh_entry.connect import names

    return [target for target in map(names.parse_host, words) if target is not None]


def _of_names(access: Access, targets: list[Target]) -> list[Entry]:
    from sm_ssh_entry.connect import diagnose
    from sm_ssh_entry.connect.fleet.listing import of_name
    from sm_ssh_entry.errors import Unreachable

    try:
        return [entry for target in targets for entry in of_name(access.towards(target), target)]
    except Unreachable as error:
        raise diagnose.call_failed(error, access) from error


def _accesses(regions: tuple[str, ...], profile: str | None, all_regions: bool) -> list[Access]:
    from sm_ssh_entry.connect import elsewhere
    from sm_ssh_entry.connect.access import Access

    if all_regions and regions:
        raise BadInput("--region and --all-regions exclude each other", hint="give one of them")
    if all_regions:
        return [Access(region, profile) for region in elsewhere.known_regions(Access(None, profile))]
    return [Access(region, profile) for region in dict.fromkeys(regions)] or [Access(None, profile)]


def _of_one(access: Access, question: Question) -> Iterator[Entry]:
    from sm_ssh_entry.connect import diagnose
    from sm_ssh_entry.connect.fleet.listing import Listing
    from sm_ssh_entry.errors import Unreachable

    listing = Listing(access, question)
    try:
        yield from listing
    except Unreachable as error:
        raise diagnose.call_failed(error, access) from error
    for note in listing.notes:
        _note(note)


def _answers(accesses: list[Access], question: Question) -> Iterator[Entry]:
    from sm_ssh_entry.connect.fleet import regions

    for answer in regions.ask(accesses, question):
        yield from answer.entries
        for note in answer.notes:
            _note(note)


def _note(line: str) -> None:
    click.echo(f"sm-ssh: {line}", err=True)


def _remembered(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Pass entries on, and keep the names of those that can be connected to for the shell's completion."""
    from sm_ssh_entry.connect.fleet import name_cache

    seen: list[str] = []
    for entry in entries:
        if entry.online and len(seen) < _ON_TERMINAL:
            seen.append(entry.name)
        yield entry
    if seen:
        name_cache.remember(seen)


def _counted(entries: Iterator[Entry]) -> Iterator[Entry]:
    from sm_ssh_entry.cli.progress_line import ProgressLine

    with ProgressLine("asking AWS …") as line:
        for number, entry in enumerate(entries, 1):
            line.show(f"{number} so far …")
            yield entry
