"""``sm-ssh local seed``: many managed nodes on the local plane, without a container behind any of them."""

from __future__ import annotations

import click

from sm_ssh_entry import contract

_DAY = 86_400.0


@click.command()
@click.option("--nodes", type=click.IntRange(1), default=1000, show_default=True, help="How many.")
@click.option("--kind", type=click.Choice(contract.KINDS), default="training", show_default=True, help="Of what.")
@click.option("--name", default="seed", show_default=True, help="Each is called this, a hyphen and a number.")
@click.option("--owner", default="", help="Value of their owner tag; default: no such tag.")
@click.option("--days", type=click.FloatRange(min=0), default=0.0, help="How long ago they registered and were heard.")
@click.option("--online", is_flag=True, help="They were heard just now; they stay Online for 15 minutes.")
@click.option("--untagged", is_flag=True, help="Somebody else's nodes, without any tag of ours.")
@click.option("--region", default=None, help="Region; default: the plane's.")
def seed(  # noqa: PLR0917 - click passes what the options above name
    nodes: int, kind: str, name: str, owner: str, days: float, region: str | None, *, online: bool, untagged: bool
) -> None:
    """Enter managed nodes of jobs that are over, for trials of list and deregister.

    \b
    sm-ssh local seed --nodes 20000 --days 30 --owner me
    """
    from sm_ssh_entry.plane import daemon

    state = daemon.require(daemon.folder())
    fields = {"nodes": nodes, "region": region or state.region, "kind": kind, "name": name, "owner": owner}
    found = daemon.ask(state, "POST", "seed", {**fields, "age": days * _DAY, "online": online, "tagged": not untagged})
    click.echo(f"The local control plane has {found['nodes']} managed nodes.")
