"""``sm-ssh``: the table of commands, imported only when called. A login waits for this module, so it imports little."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sm_ssh_entry.errors import SmSshError

if TYPE_CHECKING:
    from sm_ssh_entry.cli.lazy import Table

COMMANDS: Table = {
    "list": ("sm_ssh_entry.cli.nodes", "list_nodes", "List what can be reached, and whether it is Online."),
    "wait": ("sm_ssh_entry.cli.nodes", "wait", "Wait until a node is Online."),
    "connect": ("sm_ssh_entry.cli.connect", "connect", "Log in with ssh; extra words go to ssh."),
    "run": ("sm_ssh_entry.cli.connect", "run", "Run a command on a node and end with its exit status."),
    "shell": ("sm_ssh_entry.cli.shell", "shell", "A shell through SSM, without sshd."),
    "forward": ("sm_ssh_entry.cli.forward", "forward", "Local ports that lead to a node, without sshd."),
    "cp": ("sm_ssh_entry.cli.cp", "cp", "Copy files and folders, over several sessions at once or by S3."),
    "open": ("sm_ssh_entry.cli.open", "open_", "Open an IDE, Jupyter, TensorBoard or VNC on a node."),
    "logs": ("sm_ssh_entry.cli.logs", "logs", "Show what a job or endpoint has logged."),
    "stop-waiting": ("sm_ssh_entry.cli.connect", "stop_waiting", "Release a job that is held before its start."),
    "speedtest": ("sm_ssh_entry.cli.speedtest", "speedtest", "Measure the way to a node, both directions."),
    "config": ("sm_ssh_entry.cli.config", "config", "Let plain ssh, scp, git and IDEs know these names."),
    "doctor": ("sm_ssh_entry.cli.doctor", "doctor", "Check everything that a login needs, and say what to fix."),
    "deregister": ("sm_ssh_entry.cli.deregister", "deregister", "Remove managed nodes that are dead."),
    "completion": ("sm_ssh_entry.cli.completion", "completion", "Print the completion script for a shell."),
    "rerun": ("sm_ssh_entry.cli.rerun", "rerun", "Run the job's own command again, after an edit."),
    "start-proxy": ("sm_ssh_entry.cli.connect", "start_proxy", "Be the ProxyCommand of ssh."),
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
