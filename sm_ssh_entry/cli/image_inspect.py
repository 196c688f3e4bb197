"""``sm-ssh image inspect``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from sm_ssh_entry.cli.image_phases import phases

if TYPE_CHECKING:
    from sm_ssh_entry.images.inspection import Report


@click.command()
@click.argument("image")
@click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
def inspect(image: str, output: str) -> int:
    """Say whether IMAGE has the layer, what is in it, and what will not work. Nothing of the image is run.

    Ends with 0 where containers of it can be reached, 1 where it has no layer, 25 where it has the layer and something
    keeps people from logging in, 10 where the engine has no such image.
    """
    from sm_ssh_entry import engine
    from sm_ssh_entry.images import inspection

    engine.require(hint="start Docker, or give DOCKER_HOST")
    with phases() as tell:
        tell(f"reading {image}")
        report = inspection.inspect(image)
    if output == "json":
        click.echo(json.dumps(report.as_json(), indent=1))
    else:
        for name, value in _rows(report):
            click.echo(f"{name:<12} {value}")
        for finding in report.findings:
            click.echo(f"{finding.level + ':':<12} {finding.text}\n{'  fix:':<12} {finding.fix}")
    return report.status


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    known = report.known
    yield (
        "image",
        f"{known.image} ({known.os}/{known.arch}, {known.release or 'unknown system'}, {known.size / 1e6:.0f} MB)",
    )
    layer = known.layer
    if layer is None:
        yield "layer", "none (sm-ssh image wrap adds it)"
    else:
        yield "layer", f"sm-ssh {layer.get('version')}, {layer.get('variant')}"
        yield from (
            (name, _part(layer.get(name.replace("-", "_")))) for name in ("agent", "aws-cli", "interpreter", "sshd")
        )
        sizes = layer.get("bytes") or {}
        yield "adds", ", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in sizes.items())
        yield "ssh starts", ", ".join(f"{way}: {'yes' if fine else 'no'}" for way, fine in report.reached.items())
    yield "entrypoint", json.dumps(known.config.entrypoint)
    yield "cmd", json.dumps(known.config.cmd)
    yield "user", known.account.name or known.config.owner


def _part(about: Mapping[str, Any] | None) -> str:
    if not about:
        return "none"
    words = " ".join(str(about[key]) for key in ("source", "version", "path") if key in about)
    if "brought" not in about:
        return words
    return words + (", brought by the layer" if about["brought"] else ", the image's own")
