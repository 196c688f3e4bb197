"""``sm-ssh image wrap``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sm_ssh_entry.cli.image_phases import phases
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images.files import ARTIFACTS


@click.command()
@click.argument("image")
@click.option("-t", "--tag", default="", metavar="TAG", help="Name of the new image.")
@click.option("--print", "show", is_flag=True, help="Print the Dockerfile instead of building it.")
@click.option(
    "--artifacts",
    type=click.Path(file_okay=False, path_type=Path),
    default=ARTIFACTS,
    show_default=True,
    help="Folder that sm-ssh image fetch has filled.",
)
@click.option("--internet-free", is_flag=True, help="Build from the artifacts alone, without any network.")
@click.option(
    "--variant", type=click.Choice(["full", "thin"]), default="full", show_default=True, help="thin: no AWS CLI."
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates to trust while packages are installed (PEM); they do not stay in the image.",
)
@click.option("--load/--push", "load", default=True, show_default=True, help="To the engine, or to TAG's registry.")
@click.option(
    "--platform", metavar="PLATFORM", default="", help="linux/amd64 or linux/arm64; default: the image's own."
)
def wrap(
    *,
    image: str,
    tag: str,
    show: bool,
    artifacts: Path,
    internet_free: bool,
    variant: str,
    ca: Path | None,
    load: bool,
    platform: str,
) -> int:
    """Make a new image of IMAGE with the layer on it: the same command, user, folder and variables, and ssh.

    An image that has the layer already gets it anew.
    """
    from sm_ssh_entry.images import inspection
    from sm_ssh_entry.images import wrap as path

    if not (tag or show):
        raise BadInput("the new image needs a name", hint="-t TAG, or --print")
    request = path.Request(image, tag, artifacts, internet_free, variant, ca, not load, platform)
    with phases() as tell:
        plan = path.plan(request, tell)
        if not show:
            tell(f"building {tag}")
            path.build(plan, tell)
            report = inspection.inspect(tag) if load else None
    if show:
        click.echo(path.printed(plan), nl=False)
        return 0
    click.echo(f"{tag} is {plan.request.image} with the sm-ssh layer")
    for finding in report.findings if report else ():
        print(f"{finding.level}: {finding.text}\n  fix: {finding.fix}", file=sys.stderr)
    return 0
