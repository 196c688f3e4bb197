"""``sm-ssh completion``: prints the script, and answers the shell's questions when it asks.

click knows bash, zsh and fish; PowerShell is ours. What may be completed comes from the table of commands, from the one
command that is being typed, and for names of nodes from what the last list showed: Tab asks no API.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from sm_ssh_entry import contract
from sm_ssh_entry.errors import SmSshError

PROGRAM = "sm-ssh"
#: Where a shell's script puts its question.
VARIABLE = "_SM_SSH_COMPLETE"
# Arguments whose value is the name of a node, by whatever command.
_NAMES = frozenset({"name", "host"})
# Commands whose arguments are name:path or a path of this machine.
_COPYING = frozenset({"cp"})

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($word, $ast, $cursor)
    $env:%(complete_var)s = "powershell_complete"
    $env:COMP_LINE = $ast.ToString().Substring(0, [Math]::Min($cursor, $ast.ToString().Length))
    $env:COMP_WORD = "$word"
    try {
        %(prog_name)s | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:COMP_LINE, Env:COMP_WORD
    }
}
"""
# The first line of what to do with the script, by shell. %s is the program.
_INSTALL = {
    "bash": 'add to ~/.bashrc: eval "$(%s completion bash)"',
    "zsh": 'add to ~/.zshrc, after compinit: eval "$(%s completion zsh)"',
    "fish": "run once: %s completion fish > ~/.config/fish/completions/sm-ssh.fish",
    "powershell": "add to $PROFILE: %s completion powershell | Out-String | Invoke-Expression",
}


class _NodeName(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """Completes names of nodes, as commands take them or with what comes behind.

    Args:
        ending: what stands behind the name: ``:`` before a path.
        files: whether a file of this machine may stand there too.
    """

    name = "text"

    def __init__(self, ending: str = "", *, files: bool = False) -> None:
        self._ending, self._files = ending, files

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem[Any]]:
        """Return the names that begin like this."""
        from sm_ssh_entry.connect.fleet import name_cache

        words = [name + self._ending for name in name_cache.known()]
        found = [CompletionItem(word) for word in words if word.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="file")] if self._files else found


class _KindName(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """Completes ``training.sagemaker``."""

    name = "text"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem[Any]]:
        """Return the kinds that begin like this."""
        words = [kind + contract.NAME_SUFFIX for kind in contract.KINDS]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


class _WithNames(ShellComplete):
    """Adds names of nodes, and kinds, to what click knows."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Complete a word.

        Args:
            args: the words before it.
            incomplete: what there is of it.
        """
        if args and isinstance(self.cli, click.Group):
            command = self.cli.get_command(click.Context(self.cli, info_name=PROGRAM), args[0])
            for argument in command.params if command else ():
                if isinstance(argument, click.Argument):
                    argument.type = _type_of(args[0], argument)
        return super().get_completions(args, incomplete)


class _Bash(_WithNames, BashComplete):
    """bash, 4.4 or later."""

    def source(self) -> str:
        """Return the script; it asks the bash that reads it for its version, not whichever is on PATH."""
        return self.source_template % self.source_vars()


class _Zsh(_WithNames, ZshComplete):
    """zsh."""


class _Fish(_WithNames, FishComplete):
    """fish."""


class _PowerShell(_WithNames):
    """PowerShell, 5.0 or later."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is being typed, and that one."""
        incomplete = os.environ.get("COMP_WORD", "")
        words = split_arg_string(os.environ.get("COMP_LINE", ""))[1:]
        return (words[:-1] if incomplete and words and words[-1] == incomplete else words), incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return a line of the answer."""
        return f"{item.value}\t{item.help or ''}".rstrip()


_SHELLS: Mapping[str, type[ShellComplete]] = {
    "bash": _Bash,
    "zsh": _Zsh,
    "fish": _Fish,
    "powershell": _PowerShell,
}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> int:
    """Print the completion script for SHELL. Names of nodes are completed from what sm-ssh list last showed."""
    from sm_ssh_entry.cli.root import cli

    click.echo(_SHELLS[shell](cli, {}, PROGRAM, VARIABLE).source())
    if sys.stdout.isatty():
        click.echo(f"sm-ssh: {_INSTALL[shell] % PROGRAM}", err=True)
    return 0


def answer(cli: click.Command, instruction: str) -> int:
    """Answer a shell's question; nothing goes wrong loudly here, the user is in the middle of a line.

    Args:
        cli: the tree of commands.
        instruction: what the script put into the variable, ``bash_complete`` for one.
    """
    shell, _, verb = instruction.partition("_")
    if shell not in _SHELLS or verb not in {"complete", "source"}:
        return 1
    complete = _SHELLS[shell](cli, {}, PROGRAM, VARIABLE)
    try:
        text = complete.source() if verb == "source" else complete.complete()
    except (SmSshError, click.ClickException, KeyError, ValueError):
        return 1
    if text:
        click.echo(text)
    return 0


def _type_of(command: str, argument: click.Argument) -> click.ParamType:  # type: ignore[type-arg,unused-ignore]
    """Return the type by which an argument is completed."""
    if argument.name in _NAMES:
        return _NodeName()
    if argument.name == "kinds":
        return _KindName()
    return _NodeName(":", files=True) if command in _COPYING else argument.type
