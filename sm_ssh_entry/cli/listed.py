"""How a list of nodes is shown: a table on a terminal, aligned words or JSON in a pipe, there as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sm_ssh_entry.connect.fleet.listing import Entry

_OWNER = "OWNER"
_HEADINGS = ("NAME", "NODE ID", "STATUS", _OWNER, "LAST HEARD", "REGISTERED")
_REGION = "REGION"
# What a narrow terminal can do without, the least important first.
_LEAST = ("REGISTERED", _OWNER, "LAST HEARD")
_GAP = 2
_FIRST = 50


def table(entries: Sequence[Entry], *, regions: bool) -> None:
    """Print a table.

    Args:
        entries: in their order.
        regions: whether to say which region each is in.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console()
    rows = [_row(entry, regions) for entry in entries]
    headings = _headings(regions)
    shown = Table(box=None, pad_edge=False)
    used = _fitting(headings, rows, console.width)
    for number in used:
        # What is copied into a command stays in one piece as long as there is room.
        shown.add_column(headings[number], overflow="fold", no_wrap=headings[number] not in {"NAME", _OWNER})
    for entry, row in zip(entries, rows, strict=True):
        shown.add_row(*(row[number] for number in used), style="" if entry.online else "dim")
    console.print(shown)


def _fitting(headings: Sequence[str], rows: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """Return which columns are shown: none that is empty, and fewer where a name would have to be cut in two.

    Args:
        headings: of all columns.
        rows: their words.
        width: of the terminal.
    """
    used = [
        number for number, heading in enumerate(headings) if heading != _OWNER or {row[number] for row in rows} - {"-"}
    ]
    widths = [max(len(words[number]) for words in (headings, *rows)) for number in range(len(headings))]
    for heading in _LEAST:
        if sum(widths[number] + _GAP for number in used) - _GAP <= width:
            break
        used = [number for number in used if headings[number] != heading]
    return used


def plain(entries: Iterable[Entry], *, regions: bool) -> None:
    """Print lines of words; the first page decides how wide the columns are."""
    rows = (_row(entry, regions) for entry in entries)
    first = [_headings(regions), *islice(rows, _FIRST)]
    widths = [max(len(row[column]) for row in first) for column in range(len(first[0]))]
    for row in _chained(first, rows):
        click.echo("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


def as_json(entries: Iterable[Entry]) -> None:
    """Print one JSON array, one object on each line."""
    before = "["
    for entry in entries:
        click.echo(before)
        click.echo(f" {json.dumps(record(entry))}", nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def record(entry: Entry) -> dict[str, str | bool | None]:
    """Return an entry as programs read it. Keys are never taken away and never change their meaning."""
    return {
        "name": entry.name,
        "node_id": entry.node_id or None,
        "kind": entry.kind or None,
        "resource": entry.resource or None,
        "node": entry.node or None,
        "status": entry.status,
        "owner": entry.owner or None,
        "last_heard": _iso(entry.last_heard),
        "registered": _iso(entry.registered) if entry.node_id else None,
        "started": None if entry.node_id else _iso(entry.registered),
        "region": entry.region,
        "native": entry.native,
    }


def _headings(regions: bool) -> tuple[str, ...]:
    return (*_HEADINGS, _REGION) if regions else _HEADINGS


def _row(entry: Entry, regions: bool) -> tuple[str, ...]:
    from sm_ssh_entry.connect.nodes import ago

    heard = ago(entry.last_heard) if entry.node_id else "-"
    registered = ago(entry.registered) if entry.node_id else "-"
    status = f"{entry.status} (native)" if entry.native else entry.status
    row = (entry.name, entry.node_id or "-", status, entry.owner or "-", heard, registered)
    return (*row, entry.region) if regions else row


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _chained(first: Iterable[tuple[str, ...]], rest: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    yield from first
    yield from rest
