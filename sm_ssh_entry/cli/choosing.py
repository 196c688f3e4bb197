"""``--choose``: the containers behind a name, and a question which of them. Asked for only, and on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach


def choose_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --choose to a command that has ``reach`` and ``name``; the name is that of the chosen node then."""

    @click.option("--choose", is_flag=True, help="Show the nodes behind NAME and ask which one is meant.")
    @wraps(command)
    def with_choice(*, choose: bool, reach: Reach, name: str | None, **given: Any) -> Any:
        return command(reach=reach, name=chosen(reach, name) if choose and name else name, **given)

    return with_choice


def chosen(reach: Reach, name: str) -> str:
    """Ask which of the nodes behind a name is meant, where there are several; return its id, with the name's user.

    Args:
        reach: the command's options.
        name: as it was typed.

    Raises:
        BadInput: nobody can be asked here.
        NotFound: no node has that name.
        ConnectionLost: none of them is Online.
    """
    from sm_ssh_entry.connect import diagnose, names, nodes, registered

    if reach.via == "native":
        raise BadInput("--choose knows managed nodes only", hint="leave --via away, or give --index N")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput("--choose asks, and nobody can answer here", hint="--index N takes the Nth newest")
    target = names.parse(name)
    access = reach.towards(target)
    found = registered.Search(access, target).matching()
    if not found:
        raise diagnose.no_node(access, target)
    ssm = access.client("ssm")
    online = nodes.parallel(lambda node: nodes.with_tags(ssm, node), nodes.newest_online(found, target))
    number = 1 if len(online) == 1 else _ask(online)
    user = f"{target.user}@" if target.user else ""
    region = f"@{target.region}" if target.region else ""
    return f"{user}{online[number - 1].node_id}{region}"


def _ask(online: list[Any]) -> int:
    from sm_ssh_entry.connect.nodes import ago

    for number, node in enumerate(online, start=1):
        click.echo(f"{number:4}  {node.node_id}  {node.host}  registered {ago(node.registered)}", err=True)
    asked: int = click.prompt("Which one", type=click.IntRange(1, len(online)), default=1, err=True)
    return asked
