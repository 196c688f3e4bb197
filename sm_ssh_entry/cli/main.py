"""``sm-ssh``: the table of commands, imported only when called. A login waits for this module, so it imports little."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sm_ssh_entry.errors import SmSshError

if TYPE_CHECKING:
    from sm_ssh_entry.cli.lazy import Table

COMMANDS: Table = {
    "list": ("sm_ssh_entry.cli.nodes", "list_nodes", "List managed nodes and whether they are Online."),
    "wait": ("sm_ssh_entry.cli.nodes", "wait", "Wait until a node is Online."),
    "connect": ("sm_ssh_entry.cli.connect", "connect", "Log in with ssh; extra words go to ssh."),
    "run": ("sm_ssh_entry.cli.connect", "run", "Run a command on a node and end with its exit status."),
    "start-proxy": ("sm_ssh_entry.cli.connect", "start_proxy", "Be the ProxyCommand of ssh."),
    "stop-waiting": ("sm_ssh_entry.cli.connect", "stop_waiting", "Release a job that is held before its start."),
    "image": ("sm_ssh_entry.cli.image", "image", "Make container images reachable by ssh."),
    "local": ("sm_ssh_entry.cli.local", "local", "The local control plane, and jobs that run on it."),
}


def report(error: SmSshError) -> int:
    """Print an expected failure as one line and a hint on stderr; return its exit code."""
    print(f"sm-ssh: {error.message}", file=sys.stderr, flush=True)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr, flush=True)
    return error.exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    ``start-proxy`` goes its own way, past click: every login waits for it.

    Args:
        argv: words after the program's name; None: the process's own.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["start-proxy"] and not {"-h", "--help"} & set(words):
        from sm_ssh_entry.cli import proxy

        return proxy.main(words[1:])
    from sm_ssh_entry.cli import root

    return root.run(words)


if __name__ == "__main__":
    sys.exit(main())
