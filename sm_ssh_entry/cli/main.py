"""``sm-ssh``: the root command. Subcommands are named here and imported only when called, so that --help stays fast."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from sm_ssh_entry import __version__, contract
from sm_ssh_entry.cli.lazy import LazyGroup, Table
from sm_ssh_entry.errors import INTERRUPTED, SmSshError

COMMANDS: Table = {
    "list": ("sm_ssh_entry.cli.nodes", "list_nodes", "List managed nodes and whether they are Online."),
    "wait": ("sm_ssh_entry.cli.nodes", "wait", "Wait until a node is Online."),
    "connect": ("sm_ssh_entry.cli.connect", "connect", "Log in with ssh; extra words go to ssh."),
    "run": ("sm_ssh_entry.cli.connect", "run", "Run a command on a node and end with its exit status."),
    "start-proxy": ("sm_ssh_entry.cli.connect", "start_proxy", "Be the ProxyCommand of ssh."),
    "stop-waiting": ("sm_ssh_entry.cli.connect", "stop_waiting", "Release a job that is held before its start."),
    "local": ("sm_ssh_entry.cli.local", "local", "The local control plane, and jobs that run on it."),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-v", "--version", prog_name="sm-ssh")
def cli() -> None:
    """SSH into Amazon SageMaker containers."""


def report(error: SmSshError) -> int:
    """Print an expected failure as one line and a hint on stderr; return its exit code."""
    print(f"sm-ssh: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
    return error.exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; expected failures print one line and a hint.

    Args:
        argv: words after the program's name; None: the process's own.
    """
    try:
        status = cli.main(args=None if argv is None else list(argv), prog_name="sm-ssh", standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
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


if __name__ == "__main__":
    sys.exit(main())
