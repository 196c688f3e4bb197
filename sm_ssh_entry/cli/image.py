"""``sm-ssh image``: the group. What images are made of, and what is done to images that are there."""

from __future__ import annotations

import click

from sm_ssh_entry.cli.lazy import LazyGroup, Table

_ARTIFACTS = "sm_ssh_entry.cli.image_artifacts"
COMMANDS: Table = {
    "lock": (_ARTIFACTS, "lock", "Resolve what images are made of to URLs, sizes and checksums."),
    "fetch": (_ARTIFACTS, "fetch", "Download what is locked; goes on where an earlier fetch stopped."),
    "verify": (_ARTIFACTS, "verify", "Check every fetched file against the lock and its signature."),
    "wrap": ("sm_ssh_entry.cli.image_wrap", "wrap", "Add the layer to an image that you have."),
    "inspect": ("sm_ssh_entry.cli.image_inspect", "inspect", "Say whether an image has the layer, and what it lacks."),
    "sizes": ("sm_ssh_entry.cli.image_sizes", "sizes", "Report the size of images, part by part, against the budgets."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def image() -> None:
    """Make container images reachable by ssh."""
