"""``sm-ssh rerun``."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.connect import remotely, share_option
from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.names import Target

# Its full path: the job's PATH is the user's.
_PROGRAM = '"${SM_SSH_ROOT:-}/opt/sm-ssh/bin/sm-ssh-entry" rerun'


@click.command()
@reach_options
@share_option
@click.option("--node", metavar="algo-N", default="", help="Which node of the job; the name may say it as well.")
@click.option("--beside", is_flag=True, help="Though the job's own command runs: beside it.")
@click.option("--stop-first", is_flag=True, help="Stop the job's own command before; its status stays the job's.")
@click.option("--finish", is_flag=True, help="If it succeeds, end the held job with success.")
@click.argument("name")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def rerun(  # noqa: PLR0917 - click hands over the options by name
    reach: Reach,
    share: bool,
    node: str,
    beside: bool,
    stop_first: bool,
    finish: bool,
    name: str,
    words: tuple[str, ...],
) -> int:
    """Run the own command of job NAME again, after an edit; or COMMAND in its place.

    It has the job's environment and working folder, its output comes here as it is written, Ctrl-C reaches it, and its
    exit status is ours. For a job that is held: before its start, or after a failure. The time of the hold begins anew
    with each rerun. COMMAND is words exactly as they are, or a single one as a line for the shell.
    """
    from sm_ssh_entry.connect import names

    target = _one_node(names.parse(name), node)
    given = ["sh", "-c", words[0]] if len(words) == 1 else words
    flags = {"--beside": beside, "--stop-first": stop_first, "--finish": finish}
    line = [
        _PROGRAM,
        *(flag for flag, wanted in flags.items() if wanted),
        *(["--", shlex.join(given)] if given else []),
    ]
    # With a terminal on both sides Ctrl-C is a key like any other, and the program writes line by line.
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return remotely(target, reach, [" ".join(line)], share=share, terminal=terminal)


def _one_node(target: Target, node: str) -> Target:
    """Return the node of a job that --node means."""
    from sm_ssh_entry.connect import names

    if not node:
        return target
    if target.kind not in names.JOB_KINDS or target.node not in ("", node):
        raise BadInput(
            f"--node {node} does not go with {target.host}",
            hint="name the job: --node algo-2 my-job.training.sagemaker",
        )
    names.parse(names.host_name(target.kind, target.resource, node))
    return replace(target, node=node)
