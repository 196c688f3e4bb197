"""``sm-ssh connect | run | start-proxy | stop-waiting``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.choosing import choose_option
from sm_ssh_entry.cli.options import aws_options, called, raw_words, reach_options
from sm_ssh_entry.errors import BadInput, NotFound

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.names import Target

_PRINT_CONFIG = "--print-config"
share_option = click.option(
    "--share/--no-share", default=True, help="Whether to go over a connection that is there; default: yes."
)


@click.command(context_settings=raw_words())
@reach_options
@choose_option
@click.option(
    _PRINT_CONFIG, "print_config", is_flag=True, help="Print the lines for ~/.ssh/config and do nothing else."
)
@share_option
@click.argument("name", required=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[SSH OPTIONS] [-- COMMAND...]")
def connect(reach: Reach, print_config: bool, share: bool, name: str | None, words: tuple[str, ...]) -> int:
    """Log in to NAME with the system's ssh. What follows NAME goes to ssh: its options, then a remote command.

    NAME is my-job.training.sagemaker, algo-2.my-job.training.sagemaker or mi-…; user@ may stand before it. The exit
    status is ssh's; where the node could not be reached it is that of the error.
    """
    from sm_ssh_entry.connect import keys, names, sharing, ssh_client, ssh_command, ssh_config

    if _PRINT_CONFIG in words:
        print_config, words = True, tuple(word for word in words if word != _PRINT_CONFIG)
    if print_config:
        click.echo(ssh_config.lines(name or "", reach), nl=False)
        return 0
    if not name:
        raise BadInput("whom to connect to?", hint="sm-ssh connect my-job.training.sagemaker; sm-ssh list shows names")
    target = names.parse(name)
    split = ssh_command.split(words)
    reach = replace(reach, identity=split.value_of("i") or reach.identity)
    with ssh_client.notes() as kept:
        ours = keys.candidates(reach.identity)
        proxy = ssh_command.proxy_words(target, reach, outcome=kept.outcome)

        def argv(shared: Sequence[str]) -> list[str]:
            return ssh_command.ssh_argv(target, proxy, ours, split, shared=shared)

        interactive = not split.command and sys.stdin.isatty()
        share = share and sharing.allowed(split.letters)
        return ssh_client.run(argv(_shared(target, reach, argv, share=share, create=interactive)), kept)


@click.command(context_settings=raw_words())
@reach_options
@share_option
@click.argument("name")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, required=True, metavar="-- COMMAND...")
def run(reach: Reach, share: bool, name: str, words: tuple[str, ...]) -> int:
    """Run COMMAND on NAME and end with its exit status.

    Several words reach the command exactly as they are; a single word is a line for the remote shell. Output and errors
    stay apart. A status of 255 is the remote command's own: failures on the way there have other codes.
    """
    from sm_ssh_entry.connect import names

    return remotely(names.parse(name), reach, words[1:] if words[0] == "--" else words, share=share)


def remotely(target: Target, reach: Reach, words: Sequence[str], *, share: bool = True, terminal: bool = False) -> int:
    """Run a command on a node by ssh; return its exit status.

    Args:
        target: whom to reach.
        reach: how the name is to be reached.
        words: several words exactly as they are, or one line for the remote shell.
        share: whether to go over a connection that is there.
        terminal: whether it gets a terminal there, as ours.
    """
    from sm_ssh_entry.connect import keys, ssh_client, ssh_command

    line = ssh_command.remote_line(words)
    with ssh_client.notes() as kept:
        ours = keys.candidates(reach.identity)
        proxy = ssh_command.proxy_words(target, reach, outcome=kept.outcome)
        options = ssh_command.Words(options=("-t" if terminal else "-T",), command=(line,))

        def argv(shared: Sequence[str], extra: Sequence[str] = ()) -> list[str]:
            return ssh_command.ssh_argv(target, proxy, ours, options, extra=extra, shared=shared)

        shared = _shared(target, reach, argv, share=share, create=False)
        return ssh_client.run_logged(argv(shared, ssh_client.options_for_log(kept)), kept)


def _shared(
    target: Target, reach: Reach, argv: Callable[[Sequence[str]], list[str]], *, share: bool, create: bool
) -> Sequence[str]:
    """Return the options that say whether a login shares a connection.

    Args:
        target: whom to reach.
        reach: how the name is to be reached.
        argv: makes ssh's command line from such options.
        share: whether it may.
        create: whether one may be left behind.
    """
    from sm_ssh_entry.connect import sharing

    reach = replace(reach, region=reach.region or target.region or None)
    if not share or not sharing.wanted():
        return sharing.OWN
    return sharing.options(reach, argv, lambda line: click.echo(f"sm-ssh: {line}", err=True), create=create)


@click.command(name="start-proxy")
@aws_options
@click.option("--via", type=click.Choice(["hybrid", "native"]), help="Way in; default: hybrid where there is one.")
@click.option("--index", metavar="N", help="Which of several containers; 1 is the newest.")
@click.option("--identity", metavar="KEY", help="Private key that ssh will use.")
@click.option("--outcome", hidden=True)
@click.argument("host")
@click.argument("port", required=False)
def start_proxy(**given: str | None) -> int:
    """Be the ProxyCommand of ssh: join standard input and output to the sshd of HOST.

    PORT counts only for nodes whose tags do not name one. sm-ssh connect --print-config prints the lines for
    ~/.ssh/config.
    """
    from sm_ssh_entry.cli import proxy

    rest = [word for word in (given.pop("host"), given.pop("port")) if word]
    return proxy.main([word for name, value in given.items() if value for word in (f"--{name}", value)] + rest)


@click.command(name="stop-waiting")
@aws_options
@click.argument("name")
def stop_waiting(region: str | None, profile: str | None, name: str) -> int:
    """Release NAME, held before its start, and say who was released. A job's name means all of its nodes."""
    from sm_ssh_entry.connect import diagnose, names, release
    from sm_ssh_entry.connect.access import Reach

    name, reach = called(name, Reach(region, profile))
    target = names.parse(name)
    access = reach.towards(target)
    try:
        released = release.release(access, target)
    except NotFound:
        raise diagnose.no_node(access, target) from None
    for node, line in released:
        click.echo(f"{node.host} ({node.node_id}): {line}")
    return 0
