"""A group of commands that imports a subcommand's module when, and only when, it is called: --help stays fast."""

from __future__ import annotations

import importlib
from typing import Any, TypeAlias

import click

# name -> (module, attribute, one-line help). The help stands here too because printing it must not import the module.
Table: TypeAlias = dict[str, tuple[str, str, str]]


class LazyGroup(click.Group):
    """A group by a table.

    Args:
        table: its subcommands, in the order of the help.
        options: what click.Group takes.
    """

    def __init__(self, *args: Any, table: Table, **options: Any) -> None:
        super().__init__(*args, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the subcommands in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one subcommand."""
        if cmd_name not in self.table:
            return None
        module, attribute, _ = self.table[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong table is our fault, not the user's
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete a subcommand's name from the table: Tab must not import all of them."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=line) for name, (_, _, line) in self.table.items()]
        return [
            *(item for item in found if item.value.startswith(incomplete)),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Print the table's own help lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in self.table.items()])
