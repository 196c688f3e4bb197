"""``sm-ssh config``."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.ssh_settings import Settings


@click.command()
@reach_options
@click.option("--share/--no-share", default=None, help="Whether plain ssh shares connections; default: yes.")
@click.option("--print", "print_only", is_flag=True, help="Print what would be written, and change nothing.")
@click.option("--list", "list_aliases", is_flag=True, help="List the aliases.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="Of --list.", show_default=True)
@click.option("--remove", is_flag=True, help="Take everything away again.")
@click.option("--remove-alias", metavar="ALIAS", help="Take one alias away.")
@click.option("--alias", "pairs", multiple=True, metavar="ALIAS=NAME", help="Add an alias; may be given several times.")
@click.argument("words", nargs=-1, metavar="[ALIAS NAME]")
def config(
    *,
    reach: Reach,
    share: bool | None,
    print_only: bool,
    list_aliases: bool,
    output: str,
    remove: bool,
    remove_alias: str | None,
    pairs: tuple[str, ...],
    words: tuple[str, ...],
) -> int:
    """Let plain ssh, scp, rsync, git and IDEs know the names of sm-ssh.

    Writes ~/.ssh/sm-ssh/config, and one line at the top of ~/.ssh/config that includes it. With ALIAS and NAME,
    ALIAS is a short name for NAME, with the region and profile of now: sm-ssh config my-gpu my-job.training.sagemaker
    """
    from sm_ssh_entry.connect import names, ssh_settings

    settings = ssh_settings.load()
    if remove:
        _say(ssh_settings.remove(), "there was nothing to remove")
        return 0
    if list_aliases:
        _list(settings, output)
        return 0
    aliases = _aliases(pairs, words)
    settings = replace(settings, share=settings.share if share is None else share)
    if remove_alias:
        settings = settings.without_alias(remove_alias)
    elif aliases:
        for name, host in aliases:
            settings = settings.with_alias(name, host, ssh_settings.of_now(reach, names.parse(host)))
    elif reach != type(reach)():
        settings = replace(settings, reach=reach)
    if print_only:
        click.echo(settings.text(), nl=False)
        return 0
    _say(ssh_settings.save(settings), "nothing to do: ssh knows all this already")
    _warn(settings)
    return 0


def _aliases(pairs: tuple[str, ...], words: tuple[str, ...]) -> list[tuple[str, str]]:
    if len(words) not in (0, 2):
        raise BadInput("an alias and a name are expected", hint="sm-ssh config my-gpu my-job.training.sagemaker")
    found = [tuple(words)] if words else []
    for pair in pairs:
        name, equals, host = pair.partition("=")
        if not equals:
            raise BadInput(f"{pair!r} is not ALIAS=NAME", hint="--alias my-gpu=my-job.training.sagemaker")
        found.append((name, host))
    return [(name, host) for name, host in found]


def _list(settings: Settings, output: str) -> None:
    if output == "json":
        every = [{"alias": name, **asdict(alias)} for name, alias in sorted(settings.aliases.items())]
        click.echo(json.dumps(every, indent=2))
        return
    for name, alias in sorted(settings.aliases.items()):
        click.echo(" ".join([name, alias.host, *alias.reach.words()]))


def _say(done: list[str], otherwise: str) -> None:
    for line in done or [otherwise]:
        click.echo(line)


def _warn(settings: Settings) -> None:
    """Say what will not work as one may think."""
    from pathlib import Path

    from sm_ssh_entry.connect import openssh, sharing, ssh_include

    home = ssh_include.home_of_ssh()
    if home.resolve() != Path.home().resolve():
        click.echo(
            f"sm-ssh: HOME is not the account's home: ssh reads {home}/.ssh/config and not this one\n"
            f"  hint: ssh -F {ssh_include.user_config()}",
            err=True,
        )
    if not openssh.installed().keeps_case:
        click.echo(
            "sm-ssh: this ssh is older than 8.1 and takes names in lower case only\n"
            "  hint: give a name with capital letters an alias",
            err=True,
        )
    if settings.share and sharing.wanted() and not sharing.config_lines(settings.reach, "*"):
        click.echo(
            "sm-ssh: plain ssh will not share connections: no private folder takes its sockets, or a variable of AWS"
            " holds letters that a shell would read",
            err=True,
        )
