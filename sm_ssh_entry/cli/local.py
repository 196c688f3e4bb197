"""``sm-ssh local``: the group. Its commands that talk to a running plane are in ``local_plane``."""

from __future__ import annotations

import click

from sm_ssh_entry.cli.lazy import LazyGroup, Table

_PLANE = "sm_ssh_entry.cli.local_plane"
COMMANDS: Table = {
    "up": (_PLANE, "up", "Start the local control plane in the background."),
    "down": (_PLANE, "down", "Stop it."),
    "status": (_PLANE, "status", "Say whether it runs, where, and what it holds."),
    "env": (_PLANE, "env", 'Print the variables of its clients: eval "$(sm-ssh local env)".'),
    "reset": (_PLANE, "reset", "Make it forget everything."),
    "fault": (_PLANE, "fault", "Make calls of one operation fail or take long."),
    "seed": ("sm_ssh_entry.cli.local_seed", "seed", "Enter managed nodes without containers, for trials."),
    "jobs": ("sm_ssh_entry.cli.local_jobs", "jobs", "Show what ran, how long, and where its outputs are."),
    "interrupt": ("sm_ssh_entry.cli.local_jobs", "interrupt", "Take a spot job's machines away, as the service may."),
    "run": ("sm_ssh_entry.cli.local_run", "run_job", "Run a job on the local plane."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def local() -> None:
    """Run the AWS APIs on this machine, and jobs on them."""
