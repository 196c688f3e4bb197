"""``sm-ssh forward``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.forwarding.forward import Forwarded

_COMMAND = "sm_ssh_entry.command"


class _Forward(click.Command):
    """A command whose words after ``--`` are another program's; its own options may stand anywhere before."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_COMMAND] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=_Forward, options_metavar="[OPTIONS]")
@reach_options
@click.option("--sessions", type=click.IntRange(1, 32), help="Most sessions for each port.  [default: 4]")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.argument("name")
@click.argument("specs", nargs=-1, required=True, metavar="[[BIND:]LOCAL:][HOST:]PORT... [-- COMMAND...]")
def forward(reach: Reach, sessions: int | None, output: str, name: str, specs: tuple[str, ...]) -> int:
    """Let local ports lead to NAME, without sshd, until Ctrl-C.

    \b
    8888                     127.0.0.1:8888 here is port 8888 of NAME
    9000:8888                port 9000 here; 0:8888 takes a free one
    9000:db.internal:5432    a host that NAME reaches
    0.0.0.0:9000:8888        also for other machines

    Each port is printed once it listens. With -- COMMAND, COMMAND is run meanwhile, its status is ours, and the ports
    are in SM_SSH_FORWARD_PORT_1, _2, …; the first is in SM_SSH_FORWARD_PORT, too.
    """
    from sm_ssh_entry.cli.proxy import tell
    from sm_ssh_entry.connect import names, places
    from sm_ssh_entry.connect.forwarding import forward as forwarding
    from sm_ssh_entry.connect.forwarding import spec

    command = click.get_current_context().meta.get(_COMMAND)
    if command == ():
        raise BadInput("there is no command after --", hint="sm-ssh forward NAME 8888 -- curl …")
    target = names.parse(name)
    wanted = spec.parse_all(specs)
    access = reach.towards(target)
    place = places.find(access, target, reach)
    order = forwarding.Order(target.host, wanted, sessions or forwarding.DEFAULT_SESSIONS, command or ())

    def announce(ports: Sequence[Forwarded]) -> None:
        # Standard output is the command's where there is one.
        _announce(ports, target.host, place.node.node_id, as_json=output == "json", err=bool(command))

    return forwarding.run(access, place, order, announce=announce, say=tell)


def _announce(ports: Sequence[Forwarded], name: str, node_id: str, *, as_json: bool, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    if as_json:
        click.echo(json.dumps({"name": name, "node_id": node_id, "forwards": [_row(one) for one in ports]}), err=err)
    elif stream.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for heading in ("HERE", "", "THERE"):
            table.add_column(heading, overflow="fold")
        for one in ports:
            table.add_row(one.here, "->", one.there)
        Console(file=stream).print(table)
        click.echo("Ctrl-C ends it." if not err else "", err=err, nl=not err)
    else:
        for one in ports:
            click.echo(f"{one.here} -> {one.there}", err=err)
    stream.flush()


def _row(one: Forwarded) -> dict[str, str | int]:
    return {"bind": one.spec.bind, "local_port": one.port, "host": one.spec.host, "port": one.spec.port}
