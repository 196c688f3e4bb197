"""The tree of commands, and how their failures end: one line, a hint, an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from sm_ssh_entry import __version__, contract
from sm_ssh_entry.cli.lazy import LazyGroup
from sm_ssh_entry.cli.main import COMMANDS, report
from sm_ssh_entry.errors import INTERRUPTED, SmSshError

# Where a shell puts its question when Tab is pressed: click's name for it.
_COMPLETION = "_SM_SSH_COMPLETE"


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-v", "--version", prog_name="sm-ssh")
def cli() -> None:
    """SSH into Amazon SageMaker containers."""


def run(argv: Sequence[str]) -> int:
    """Run the command line and return its exit status; expected failures print one line and a hint.

    Args:
        argv: words after the program's name.
    """
    question = os.environ.get(_COMPLETION)
    if question:
        from sm_ssh_entry.cli import completion

        return completion.answer(cli, question)
    try:
        status = cli.main(args=list(argv), prog_name="sm-ssh", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SmSshError as error:
        if os.environ.get(contract.DEBUG):
            raise
        return report(error)
    except BrokenPipeError:
        # The reader of our output went away (sm-ssh list | head): say nothing, and let no later flush complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status if isinstance(status, int) else 0
