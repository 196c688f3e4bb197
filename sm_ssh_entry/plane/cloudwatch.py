"""CloudWatch Logs of what runs here: moto keeps them; a stream holds so many of its newest lines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from sm_ssh_entry.plane.api import Handler, NotOurs, Request
from sm_ssh_entry.plane.moto_tables import backends
from sm_ssh_entry.plane.sagemaker_records import refusal
from sm_ssh_entry.plane.store import Store

# A job may print for days, and moto forgets nothing by itself.
MAX_EVENTS = 100_000
# FilterLogEvents takes as many names.
_MAX_STREAMS = 100


def put(store: Store, region: str, group: str, stream: str, events: Iterable[tuple[int, str]]) -> None:
    """Add lines to a stream, which is made with its group if it is not there. Imports moto: call it in a thread.

    Args:
        store: the plane's state.
        region: the region.
        group: name of the log group.
        stream: name of the stream.
        events: epoch milliseconds and text, in order of time; none: the stream is made all the same.

    Raises:
        AwsError: what moto refuses.
    """
    there = _backend(store, region)
    try:
        there.ensure_log_group(group)
        there.ensure_log_stream(group, stream)
        given = [{"timestamp": at, "message": text} for at, text in events]
        if given:
            there.put_log_events(group, stream, given)
    except Exception as error:
        raise refusal(error) from error
    kept = there.groups[group].streams[stream].events
    if len(kept) > MAX_EVENTS:
        del kept[: len(kept) - MAX_EVENTS]


async def filter_log_events(store: Store, request: Request) -> dict[str, Any]:
    """FilterLogEvents by a prefix of streams' names, which moto overlooks.

    Raises:
        AwsError: ResourceNotFoundException and what else moto refuses.
        NotOurs: no prefix is given.
    """
    params = request.params
    prefix = params.get("logStreamNamePrefix")
    if not prefix:
        raise NotOurs

    def search() -> dict[str, Any]:
        there = _backend(store, request.region)
        group = there.groups.get(params.get("logGroupName"))
        names = [name for name in list(group.streams) if name.startswith(prefix)][:_MAX_STREAMS] if group else []
        if group is not None and not names:
            return {"events": [], "searchedLogStreams": []}
        try:
            events, token, searched = there.filter_log_events(
                params.get("logGroupName"),
                names,
                params.get("startTime"),
                params.get("endTime"),
                params.get("limit"),
                params.get("nextToken"),
                params.get("filterPattern"),
                params.get("interleaved"),
            )
        except Exception as error:
            raise refusal(error) from error
        return {"events": events, "searchedLogStreams": searched, **({"nextToken": token} if token else {})}

    return await asyncio.to_thread(search)


def _backend(store: Store, region: str) -> Any:
    return backends("logs")[store.account][region]


OPERATIONS: dict[str, Handler] = {"FilterLogEvents": filter_log_events}
