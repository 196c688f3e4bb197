"""``sm-ssh list | wait``."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import aws_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_ssh_entry.connect.nodes import Node

_HEADINGS = ("NAME", "NODE ID", "STATUS", "LAST HEARD", "REGISTERED")


@click.command(name="list")
@aws_options
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.argument("kind", required=False, metavar="[KIND.sagemaker]")
def list_nodes(region: str | None, profile: str | None, output: str, kind: str | None) -> int:
    """List managed nodes of sm-ssh, those that are Online first; KIND.sagemaker lists one kind, training.sagemaker."""
    from sm_ssh_entry.connect import diagnose, names, nodes
    from sm_ssh_entry.connect.access import Access
    from sm_ssh_entry.errors import Unreachable

    wanted = names.parse_kind(kind) if kind else ""
    access = Access(region, profile)
    try:
        found = nodes.listed(access.client("ssm"), wanted)
    except Unreachable as error:
        raise diagnose.call_failed(error, access) from error
    if output == "json":
        click.echo(json.dumps([_as_json(node) for node in found], indent=2))
    elif sys.stdout.isatty():
        _print_table(found)
    else:
        rows = [_HEADINGS, *(_row(node) for node in found)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        for row in rows:
            click.echo("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


@click.command()
@aws_options
@click.option("--timeout", type=click.FloatRange(min=0), default=900.0, show_default=True, help="Seconds.")
@click.argument("name")
def wait(region: str | None, profile: str | None, timeout: float, name: str) -> int:
    """Wait until NAME is Online and print its node's id. Ends early when the job has ended or does not exist."""
    from sm_ssh_entry.connect import arrival, diagnose, names
    from sm_ssh_entry.connect.access import Access
    from sm_ssh_entry.errors import Unreachable

    target = names.parse(name)
    access = Access(region, profile).towards(target)
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {target.host}: {line}", file=sys.stderr, flush=True)

    try:
        node = arrival.wait(access, target, timeout=timeout, progress=progress)
    except Unreachable as error:
        raise diagnose.call_failed(error, access) from error
    progress(f"Online as {node.node_id}")
    click.echo(node.node_id)
    return 0


def _row(node: Node) -> tuple[str, ...]:
    from sm_ssh_entry.connect.nodes import ago

    return (node.host, node.node_id, node.ping, ago(node.last_ping), ago(node.registered))


def _as_json(node: Node) -> dict[str, str | None]:
    return {
        "name": node.host,
        "node_id": node.node_id,
        "kind": node.kind,
        "resource": node.resource,
        "node": node.label,
        "status": node.ping,
        "last_heard": node.last_ping.isoformat() if node.last_ping else None,
        "registered": node.registered.isoformat() if node.registered else None,
    }


def _print_table(found: Sequence[Node]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")
    for node in found:
        table.add_row(*_row(node), style="" if node.online else "dim")
    Console().print(table)
