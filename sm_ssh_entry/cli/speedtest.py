"""``sm-ssh speedtest``."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.names import Target
    from sm_ssh_entry.connect.places import Place
    from sm_ssh_entry.connect.speed import Probe, Speed
    from sm_ssh_entry.connect.ssh_client import Notes

_MOST_SESSIONS = 16
_MEGABYTE = 1_000_000


@click.command()
@reach_options
@click.option("--sessions", default="1,4", show_default=True, metavar="N,...", help="Numbers of sessions to try.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=10.0, show_default=True, help="For everything.")
@click.option("--megabytes", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Most for each step.")
@click.option("--over", type=click.Choice(["ssh", "ssm"]), help="ssh, or a shell session; default: ssh where it is.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.argument("name")
def speedtest(
    *, reach: Reach, sessions: str, seconds: float, megabytes: int, over: str | None, output: str, name: str
) -> int:
    """Measure the way to NAME: round trips, and bytes a second down and up, through one session and through several.

    Nothing is installed: the node needs sh, head and wc. What has arrived counts, not what buffers have swallowed.
    """
    from sm_ssh_entry.cli.proxy import tell
    from sm_ssh_entry.connect import names, places, speed, ssh_client

    counts = _counts(sessions)
    target = names.parse(name)
    place = places.find(reach.towards(target), target, reach)
    way = over or ("ssh" if _has_sshd(place) else "ssm")
    with ssh_client.notes() as notes:
        opener = _opener(way, target, reach, place, notes)
        found = asyncio.run(speed.measure(opener, counts, seconds=seconds, limit=megabytes * _MEGABYTE, progress=tell))
    if output == "json":
        click.echo(json.dumps({"name": target.host, "node_id": place.node.node_id, "over": way, **_as_json(found)}))
    else:
        _print(found, way)
    return 0


def _counts(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= _MOST_SESSIONS for word in words):
        raise BadInput(f"--sessions {text!r} is not a list of numbers from 1 to {_MOST_SESSIONS}", hint="such as 1,2,4")
    return tuple(sorted({int(word) for word in words}))


def _has_sshd(place: Place) -> bool:
    """Whether ssh is to be tried: it is here, and the node has not registered without an sshd of ours."""
    from sm_ssh_entry import contract

    tags = place.node.tags
    return shutil.which("ssh") is not None and (place.native or not tags or contract.TAG_HOST_KEY in tags)


def _opener(way: str, target: Target, reach: Reach, place: Place, notes: Notes) -> Callable[[], Awaitable[Probe]]:
    if way == "ssh":
        from sm_ssh_entry.connect import speed_ssh

        return lambda: speed_ssh.open_probe(target, reach, notes)
    if place.hop:
        raise BadInput(f"{target.host} has no session of its own: only ssh leads there", hint="leave out --over ssm")
    from sm_ssh_entry.connect import places, speed_shell

    access = reach.towards(target)
    return lambda: speed_shell.open_probe(
        lambda: places.start(access, place, "", {}, reason="speedtest"), lambda: access.client("ssm", timeout=5.0)
    )


def _as_json(found: Speed) -> dict[str, Any]:
    return {
        "opening_seconds": round(found.opening, 3),
        "latency_seconds": {
            "median": round(found.latency, 5),
            "least": round(min(found.round_trips), 5),
            "round_trips": len(found.round_trips),
        },
        "rates": [
            {"sessions": one.sessions, "down_bytes_per_second": round(one.down), "up_bytes_per_second": round(one.up)}
            for one in found.rates
        ],
        "verdict": found.verdict,
    }


def _print(found: Speed, way: str) -> None:
    click.echo(
        f"over {way}: ready after {found.opening:.2f} s; round trip {found.latency * 1000:.1f} ms "
        f"(least {min(found.round_trips) * 1000:.1f} ms of {len(found.round_trips)})"
    )
    headings = ("SESSIONS", "DOWN MB/s", "UP MB/s")
    rows = [(str(one.sessions), f"{one.down / _MEGABYTE:.2f}", f"{one.up / _MEGABYTE:.2f}") for one in found.rates]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for heading in headings:
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
    else:
        for row in (headings, *rows):
            click.echo("  ".join(word.rjust(len(heading)) for word, heading in zip(row, headings, strict=True)))
    click.echo(found.verdict)
