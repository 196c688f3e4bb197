"""``sm-ssh local jobs|interrupt``: what ran on the plane, and a spot job's machines taken away."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sm_ssh_entry.plane.daemon import State
    from sm_ssh_entry.plane.ran import Ran

_HEADINGS = ("KIND", "NAME", "STATUS", "NODES", "TIME", "IMAGE OR COMMAND", "WHY")
# What a column of a table has at the most; the whole of it is in the other forms.
_MOST = 60
_GOOD = ("Completed", "InService")


@click.command()
@click.option("--region", default=None, help="Region; default: the plane's.")
@click.option("--output", type=click.Choice(["table", "plain", "json"]), help="Default: table, in a pipe plain.")
@click.argument("name", default="")
def jobs(name: str, region: str | None, output: str | None) -> int:
    """Show what ran on the local plane, how it ended, how long it took; with NAME also where its outputs are.

    \b
    sm-ssh local jobs
    sm-ssh local jobs my-job
    sm-ssh local jobs --output json
    """
    from sm_ssh_entry.errors import NotFound
    from sm_ssh_entry.plane import daemon, ran

    where = daemon.folder()
    state = daemon.require(where)
    region = region or state.region
    _use(state, region)
    found = ran.find(region, where, name)
    if name and not found:
        raise NotFound(f"nothing called {name} ran on the local plane in {region}", hint="sm-ssh local jobs")
    output = output or ("table" if sys.stdout.isatty() else "plain")
    if output == "json":
        click.echo(json.dumps([ran.record(one) for one in found], indent=1))
    elif name:
        for one in found:
            _details(one)
    elif output == "table":
        _table(found)
    else:
        for one in found:
            click.echo("\t".join(_row(one)))
    return 0


@click.command()
@click.option("--region", default=None, help="Region; default: the plane's.")
@click.argument("name")
def interrupt(name: str, region: str | None) -> int:
    """Take the machines of the training job NAME away, as the service may where it runs on spot instances.

    Its containers get SIGTERM and have 120 seconds; then it starts again in new ones, with its checkpoints.
    """
    from sm_ssh_entry import aws
    from sm_ssh_entry.errors import BadInput
    from sm_ssh_entry.plane import daemon

    state = daemon.require(daemon.folder())
    region = region or state.region
    _use(state, region)
    with aws.errors_of(region=region):
        said = aws.client("sagemaker", region=region).describe_training_job(TrainingJobName=name)
    if not said.get("EnableManagedSpotTraining"):
        raise BadInput(f"{name} does not run on spot instances", hint="EnableManagedSpotTraining in its request")
    if said["SecondaryStatus"] != "Training":
        raise BadInput(f"{name} is not training, it is {said['SecondaryStatus']}")
    fields = {"kind": "training", "name": name, "region": region, "word": "interrupt"}
    if not daemon.ask(state, "POST", "tell", fields)["told"]:
        raise BadInput(f"{name} does not run here")
    click.echo(f"{name} is interrupted: SIGTERM, up to 120 s to end, and a new start")
    return 0


def _use(state: State, region: str) -> None:
    """Make this process the plane's client, whether or not the shell is."""
    from sm_ssh_entry.plane.environment import adopt, client_environment

    keys = {"AWS_ACCESS_KEY_ID": state.access_key, "AWS_SECRET_ACCESS_KEY": state.secret_key}
    adopt(client_environment(url=state.url, region=region, keys=keys))


def _row(one: Ran) -> tuple[str, ...]:
    what = _one_line(one.image or one.command) or "-"
    return one.kind, one.name, _status(one), str(one.nodes), span(one.seconds), what, _one_line(one.reason) or "-"


def _status(one: Ran) -> str:
    """Return the status, and what a training job says beside it where that is more."""
    return one.status if one.secondary in ("", one.status) else f"{one.status} ({one.secondary})"


def _table(found: list[Ran]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold", no_wrap=heading in {"KIND", "NODES", "TIME"})
    for one in found:
        words = [word if len(word) <= _MOST else f"{word[: _MOST - 1]}…" for word in _row(one)]
        style = "red" if one.status == "Failed" else "" if one.status in _GOOD else "dim"
        # As text: what a job wrote is no markup of ours.
        table.add_row(*map(Text, words), style=style)
    Console().print(table)


def _details(one: Ran) -> None:
    phases = ", ".join(f"{name} {span(seconds)}" for name, seconds in one.phases.items())
    rows = (
        ("kind", one.kind),
        ("name", one.name),
        ("status", _status(one)),
        ("why", one.reason),
        ("nodes", str(one.nodes)),
        ("image", one.image),
        ("command", one.command),
        ("created", one.created.astimezone().isoformat(sep=" ", timespec="seconds")),
        ("time", f"{span(one.seconds)}{f': {phases}' if phases else ''}"),
        *(("output", address) for address in one.outputs),
        ("folder", one.folder),
        ("log group", one.log_group),
    )
    for name, value in rows:
        if value:
            click.echo(f"{name:<10} {_one_line(value)}")


def _one_line(text: str) -> str:
    """Return a text that a job may have written as one line without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def span(seconds: float) -> str:
    """Return a time as people read it: ``0.8 s``, ``12 s``, ``3 min``, ``2.5 h``.

    Args:
        seconds: how long.
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
