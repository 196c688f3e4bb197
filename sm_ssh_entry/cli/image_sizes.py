"""``sm-ssh image sizes``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.image_phases import phases

if TYPE_CHECKING:
    from sm_ssh_entry.images.sizes import Weight

_REGISTRY = "REGISTRY"  # docker-bake.hcl's prefix of every name


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@click.option(
    "--group", default="default", show_default=True, help="What docker-bake.hcl lists, where no IMAGE is given."
)
@click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Write a page for the documentation.")
def sizes(images: tuple[str, ...], group: str, output: str, write: Path | None) -> int:
    """Report the size of images, layer by layer and part by part. Ends with 1 where the layer misses its budget."""
    from sm_ssh_entry import engine
    from sm_ssh_entry.images import sizes as path
    from sm_ssh_entry.images.storage import write_whole

    engine.require(hint="start Docker, or give DOCKER_HOST", buildx=not images)
    weights = []
    with phases() as tell:
        for image in images or path.listed(group):
            tell(f"weighing {image}")
            weights.append(path.weigh(image))
    if output == "json":
        click.echo(json.dumps([one.as_json() for one in weights], indent=1))
    else:
        for one in weights:
            click.echo("\n".join(_lines(one)))
    if write:
        write_whole(write, path.page(weights, os.environ.get(_REGISTRY, "")).encode())
    excess = [one.excess for one in weights if one.excess]
    for line in excess:
        print(f"over budget: {line}", file=sys.stderr)
    return 1 if excess else 0


def _lines(one: Weight) -> Iterator[str]:
    from sm_ssh_entry.images.sizes import BUDGET, megabytes

    yield f"{one.image}  {megabytes(one.size)} MB, agent: {one.agent}"
    for layer in one.layers:
        yield f"  {megabytes(layer.size):>8} MB  {layer.made_by}"
    if one.parts:
        yield "  of our layer: " + ", ".join(f"{part} {megabytes(size)}" for part, size in one.parts.items())
        yield f"  budgeted: {megabytes(one.counted)} of {megabytes(BUDGET)} MB"
