"""``sm-ssh deregister``: says what would go, asks, and removes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import aws_options
from sm_ssh_entry.cli.spans import span_option
from sm_ssh_entry.errors import BadInput, SmSshError

if TYPE_CHECKING:
    from datetime import datetime

    from sm_ssh_entry.connect.access import Access
    from sm_ssh_entry.connect.fleet.activations import Left
    from sm_ssh_entry.connect.fleet.deregistration import Choice, Outcome
    from sm_ssh_entry.connect.nodes import Node

# Long enough for a network that was away and for a laptop that was asleep.
_DEFAULT_AGE = timedelta(days=1)
_SHOWN = 20
_ME = "me"


@click.command()
@aws_options
@span_option("--older-than", help="Only nodes not heard of for so long. Default: 1d; with --name or --node 0s.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind, training for one.")
@click.option("--owner", metavar="me|VALUE", default="", help="Only nodes with this tag SSHOwner; me: your aws:userid.")
@click.option("--name", default="", help="Only nodes of this job, app or notebook instance.")
@click.option("--node", "node_id", default="", metavar="mi-…", help="Only this node; refused if it is not ours.")
@click.option("--activations", is_flag=True, help="Delete our expired activations too.")
@click.option("--yes", "-y", is_flag=True, help="Do it without a question.")
@click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
def deregister(  # noqa: PLR0917 - click hands over the options by name
    region: str | None,
    profile: str | None,
    older_than: timedelta | None,
    kinds: tuple[str, ...],
    owner: str,
    name: str,
    node_id: str,
    activations: bool,
    yes: bool,
    output: str,
) -> int:
    """Remove managed nodes that are dead: registered by sm-ssh, and not Online.

    Says first what would go. On a terminal it asks then; without one it only says so, unless --yes is given. Nodes of
    others and nodes that are Online are never removed. It may be interrupted at any time: run it again to go on.
    """
    from sm_ssh_entry.connect.access import Access

    access = Access(region, profile)
    if name:
        from sm_ssh_entry.connect import names

        access = access.towards(names.parse(name))
    choice = _choice(access, older_than, kinds, owner, name, node_id)
    found, left = _look(access, choice, activations)
    if output == "json":
        return _as_json(access, choice, found, left, yes=yes)
    _say(access, found, left)
    if not (found or left):
        return 0
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            click.echo("sm-ssh: nothing was removed; --yes removes them", err=True)
            return 0
        if not click.confirm(_question(found, left), err=True):
            click.echo("sm-ssh: nothing was removed", err=True)
            return 0
    outcome = _remove(access, choice, found, left)
    return _report(outcome, len(found))


def _choice(  # noqa: PLR0917 - as above
    access: Access, older_than: timedelta | None, kinds: tuple[str, ...], owner: str, name: str, node_id: str
) -> Choice:
    from dataclasses import replace

    from sm_ssh_entry.connect import names
    from sm_ssh_entry.connect.fleet import deregistration, whose

    if name and (node_id or kinds):
        raise BadInput("--name says it all: it takes neither --node nor --kind beside it", hint="give one of them")
    age = older_than if older_than is not None else (timedelta(0) if name or node_id else _DEFAULT_AGE)
    if node_id and not names.parse(node_id).node_id:
        raise BadInput(
            f"{node_id!r} is not a managed node's id", hint="ids are mi- and 17 hexadecimal digits; see --name"
        )
    asked = deregistration.choice_of(node_id or name, age) if node_id or name else deregistration.Choice(age)
    owned = whose.me(access) if owner == _ME else owner
    return replace(asked, kinds=asked.kinds or tuple(names.parse_kind(kind) for kind in kinds), owner=owned)


def _look(access: Access, choice: Choice, with_activations: bool) -> tuple[list[Node], list[Left]]:
    from sm_ssh_entry.cli.progress_line import ProgressLine
    from sm_ssh_entry.connect import diagnose
    from sm_ssh_entry.connect.fleet import activations, deregistration

    ssm = access.client("ssm", attempts=8)
    try:
        with ProgressLine("asking AWS …") as line:
            found = deregistration.candidates(ssm, choice, seen=lambda count: line.show(f"{count} nodes looked at …"))
            left = list(activations.expired(ssm, owner=choice.owner)) if with_activations else []
    except SmSshError as error:
        raise diagnose.call_failed(error, access) from error
    return found, left


def _say(access: Access, found: Sequence[Node], left: Sequence[Left]) -> None:
    from sm_ssh_entry.connect.fleet.deregistration import age_of
    from sm_ssh_entry.connect.nodes import ago

    where = access.effective_region
    if not found:
        click.echo(f"no dead node of ours in {where} is that old")
    else:
        oldest, newest = (ago(age_of(node)) for node in (found[0], found[-1]))
        heard = oldest if oldest == newest else f"{oldest} to {newest}"
        click.echo(f"{_count(len(found), 'dead node')} of ours in {where}, last heard {heard}")
        for node in found[:_SHOWN]:
            click.echo(f"  {node.node_id}  {ago(age_of(node)):>10}  {node.display_name or node.host}".rstrip())
        if len(found) > _SHOWN:
            click.echo(f"  and {len(found) - _SHOWN} more")
    if left:
        click.echo(f"{_count(len(left), 'expired activation')} of ours in {where}")


def _question(found: Sequence[Node], left: Sequence[Left]) -> str:
    what = [_count(len(found), "node")] if found else []
    what += [_count(len(left), "activation")] if left else []
    return f"Remove {' and '.join(what)}?"


def _remove(access: Access, choice: Choice, found: Sequence[Node], left: Sequence[Left]) -> Outcome:
    from sm_ssh_entry.cli.progress_line import ProgressLine
    from sm_ssh_entry.connect.fleet import activations, deregistration
    from sm_ssh_entry.connect.fleet.pace import Pace

    # The pace sees that AWS throttles only where the client does not wait that out by itself.
    ssm, pace, outcome = access.client("ssm", attempts=2), Pace(), deregistration.Outcome()

    def told(so_far: Outcome) -> None:
        slow = ", AWS is throttling" if pace.gap else ""
        line.show(f"{so_far.done} of {len(found)} nodes{slow} …")

    try:
        with ProgressLine() as line:
            deregistration.remove(ssm, found, choice, outcome, told=told, pace=pace)
            if left and not outcome.refused:
                count = activations.delete(
                    ssm, left, told=lambda done: line.show(f"{done} of {len(left)} activations …")
                )
                click.echo(f"deleted {_count(count, 'activation')}", err=True)
    except (KeyboardInterrupt, SmSshError):
        click.echo(f"removed {outcome.removed} of {len(found)}; run it again to go on", err=True)
        raise
    return outcome


def _report(outcome: Outcome, total: int) -> int:
    left_alone = {
        "had gone already": outcome.gone,
        "came back or were heard of again": outcome.alive,
        "were not ours": outcome.not_ours,
    }
    rest = "".join(f"; {count} {what}" for what, count in left_alone.items() if count)
    click.echo(f"removed {_count(outcome.removed, 'node')}{rest}")
    if outcome.refused:
        raise outcome.refused
    if outcome.failed:
        for node_id, why in list(outcome.failed.items())[:_SHOWN]:
            click.echo(f"  {node_id}: {why}", err=True)
        raise SmSshError(f"{len(outcome.failed)} of {total} nodes could not be removed", hint="run it again")
    return 0


def _as_json(access: Access, choice: Choice, found: Sequence[Node], left: Sequence[Left], *, yes: bool) -> int:
    """Print one object: what there is and, with --yes, what became of it."""
    from sm_ssh_entry.connect.fleet.deregistration import age_of

    def when(node: Node) -> str | None:
        heard: datetime | None = age_of(node)
        return heard.isoformat() if heard else None

    shown = {
        "region": access.effective_region,
        "removed": None,
        "nodes": [{"node_id": node.node_id, "name": node.display_name, "last_heard": when(node)} for node in found],
        "activations": [one.activation_id for one in left],
    }
    if not yes:
        click.echo(json.dumps(shown, indent=1))
        return 0
    outcome = _remove(access, choice, found, left)
    fates = {"gone": outcome.gone, "alive": outcome.alive, "not_ours": outcome.not_ours, "failed": outcome.failed}
    click.echo(json.dumps({**shown, **fates, "removed": outcome.removed}, indent=1))
    if outcome.refused:
        raise outcome.refused
    return 1 if outcome.failed else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
