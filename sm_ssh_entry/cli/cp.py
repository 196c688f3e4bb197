"""``sm-ssh cp``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import aws_options, called
from sm_ssh_entry.errors import INTERRUPTED, BadInput, SmSshError

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.copy.tally import Tally

_BUCKET_WAY = "s3"
_MOST_LINES = 20


@click.command()
@aws_options
@click.option(
    "--via",
    type=click.Choice(["hybrid", "native", _BUCKET_WAY]),
    help="Way in; default: hybrid where there is one. s3: the files go through a bucket.",
)
@click.option("--index", type=click.IntRange(min=1), help="Which of several containers; 1 is the newest.")
@click.option("--identity", "-i", metavar="KEY", help="Private key to use.")
@click.option("--parallel", type=click.IntRange(1, 32), help="Sessions at once; default: 1 to 8, by size.")
@click.option("--no-verify", is_flag=True, help="Do not compare SHA-256 of both sides.")
@click.option("--follow", is_flag=True, help="Copy what links that lead out of a folder point to.")
@click.option("--bucket", metavar="BUCKET", help="With --via s3; default: sagemaker-REGION-ACCOUNT.")
@click.option("--prefix", metavar="PREFIX", default="sm-ssh", show_default=True, help="With --via s3: keys begin so.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--recursive", "-r", is_flag=True, help="Accepted and not needed: folders are copied whole.")
@click.argument("words", nargs=-1, required=True, metavar="SOURCE... DEST")
def cp(
    *,
    region: str | None,
    profile: str | None,
    via: str | None,
    index: int | None,
    identity: str | None,
    parallel: int | None,
    no_verify: bool,
    follow: bool,
    bucket: str | None,
    prefix: str,
    output: str,
    recursive: bool,
    words: tuple[str, ...],
) -> int:
    """Copy files and folders to or from a node: one side is NAME:path, the other a path here.

    Modes and times are kept, and every copy is verified. An interrupted copy goes on where it was when the same
    command is given again.
    """
    del recursive
    from sm_ssh_entry.cli.cp_progress import Lines, shown
    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.copy import arguments, copying
    from sm_ssh_entry.connect.copy.failures import AGAIN

    way = "" if via in (None, _BUCKET_WAY) else via or ""
    reach = Reach(region, profile, way, index or 0, identity or "")
    words, reach = _without_aliases(words, reach)
    order = arguments.parse(words)
    if via != _BUCKET_WAY and bucket is not None:
        raise BadInput("--bucket needs --via s3")
    if order.streams and output == "json" and not order.up:
        raise BadInput("standard output cannot take both the file and the summary")
    options = copying.Options(
        parallel or 0, not no_verify, follow, by_bucket=via == _BUCKET_WAY, bucket=bucket or "", prefix=prefix
    )
    started = time.monotonic()
    try:
        with shown() as picture:
            watcher = copying.Watcher(picture.say, picture.show)
            tally = copying.run(order, reach, options, watcher)
    except KeyboardInterrupt:
        Lines().say(f"interrupted: {AGAIN}")
        return INTERRUPTED
    _summary(tally, time.monotonic() - started, output)
    if not tally.failures:
        return 0
    first = tally.failures[0]
    if len(tally.failures) == 1:
        raise first
    for error in tally.failures[:_MOST_LINES]:
        Lines().say(error.message)
    raise type(first)(f"{len(tally.failures)} files could not be copied", hint=AGAIN)


def _summary(tally: Tally, seconds: float, output: str) -> None:
    """Print what has been done: JSON on standard output, words on standard error."""
    from sm_ssh_entry.cli.cp_progress import Lines
    from sm_ssh_entry.connect.copy.shown import size

    if output == "json":
        click.echo(json.dumps(_as_json(tally, seconds), indent=2))
        return
    for line in tally.skipped[:_MOST_LINES]:
        Lines().say(f"skipped {line}")
    if len(tally.skipped) > _MOST_LINES:
        Lines().say(f"skipped {len(tally.skipped) - _MOST_LINES} more; --output json lists all")
    if tally.done or not tally.failures:
        parts = [f"{tally.done} file{'s' if tally.done != 1 else ''}", size(tally.bytes), f"{seconds:.1f} s"]
        if tally.resumed:
            parts.append(f"{size(tally.resumed)} of them were there already")
        Lines().say(", ".join(parts))


def _as_json(tally: Tally, seconds: float) -> dict[str, object]:
    return {
        "files": tally.files,
        "copied_files": tally.done,
        "bytes": tally.bytes,
        "moved_bytes": tally.moved,
        "resumed_bytes": tally.resumed,
        "verified_files": tally.verified,
        "seconds": round(seconds, 3),
        "sessions": tally.most_sessions,
        "lost_sessions": tally.lost,
        "skipped": tally.skipped,
        "failed": [_words(error) for error in tally.failures],
    }


def _words(error: SmSshError) -> str:
    return error.message


def _without_aliases(words: tuple[str, ...], reach: Reach) -> tuple[tuple[str, ...], Reach]:
    """Let the names that aliases stand for take their place."""
    found = []
    for word in words:
        host, colon, path = word.partition(":")
        if colon and "/" not in host and "\\" not in host:
            host, reach = called(host, reach)
        found.append(f"{host}{colon}{path}")
    return tuple(found), reach
