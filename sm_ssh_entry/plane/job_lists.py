"""List calls of jobs over moto's records: moto cuts a page before it filters, never sorts, and tells no reasons."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane import sagemaker_records
from sm_ssh_entry.plane.api import Handler, Request
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.store import Store


@dataclass(frozen=True)
class _Kind:
    """One kind of job: the word in moto's attributes, and what of a summary is its own (attribute by member).

    ``last_first``: how the service sorts where nothing is said.
    """

    word: str
    extra: Mapping[str, str]
    last_first: bool = False


_KINDS: Mapping[str, _Kind] = {
    "TrainingJob": _Kind("training", {"SecondaryStatus": "secondary_status"}),
    "ProcessingJob": _Kind("processing", {"FailureReason": "failure_reason", "ExitMessage": "exit_message"}),
    "TransformJob": _Kind("transform", {"FailureReason": "failure_reason"}, last_first=True),
}


def listing(what: str) -> Handler:
    """Return the handler of a kind's List operation: filtered, and in the order that was asked for.

    Args:
        what: ``TrainingJob`` for one.
    """
    kind = _KINDS[what]
    sorts = {"CreationTime": "creation_time", "Name": f"{kind.word}_job_name", "Status": f"{kind.word}_job_status"}

    async def handle(store: Store, request: Request) -> dict[str, Any]:
        params = request.params

        def jobs() -> list[Any]:
            return list(getattr(sagemaker_records.backend(store, request.region), f"{kind.word}_jobs").values())

        attribute = sorts[params.get("SortBy", "CreationTime")]
        found = sorted(await asyncio.to_thread(jobs), key=lambda job: getattr(job, attribute))
        # A job's place does not depend on the filters, so that a page goes on where the last one ended.
        numbered = list(enumerate(found))
        if params.get("SortOrder", "Descending" if kind.last_first else "Ascending") == "Descending":
            numbered = [(-place, job) for place, job in reversed(numbered)]
        items, token = page(
            request, numbered, lambda pair: pair[0], default=10, keep=lambda pair: _wanted(kind, pair[1], params)
        )
        return {f"{what}Summaries": [_summary(what, kind, job) for _, job in items]} | token

    return handle


def _wanted(kind: _Kind, job: Any, params: Mapping[str, Any]) -> bool:
    created, changed = _epoch(job.creation_time), _epoch(job.last_modified_time)
    return (
        params.get("NameContains", "").lower() in getattr(job, f"{kind.word}_job_name").lower()
        and params.get("StatusEquals") in (None, getattr(job, f"{kind.word}_job_status"))
        and created > params.get("CreationTimeAfter", float("-inf"))
        and created < params.get("CreationTimeBefore", float("inf"))
        and changed > params.get("LastModifiedTimeAfter", float("-inf"))
        and changed < params.get("LastModifiedTimeBefore", float("inf"))
    )


def _summary(what: str, kind: _Kind, job: Any) -> dict[str, Any]:
    found = {
        f"{what}Name": getattr(job, f"{kind.word}_job_name"),
        f"{what}Arn": job.arn,
        "CreationTime": _epoch(job.creation_time),
        "LastModifiedTime": _epoch(job.last_modified_time),
        f"{what}Status": getattr(job, f"{kind.word}_job_status"),
    }
    ended = getattr(job, f"{kind.word}_end_time", None)
    found |= {f"{what.removesuffix('Job')}EndTime": _epoch(ended)} if ended else {}
    extra = {member: getattr(job, attribute, None) for member, attribute in kind.extra.items()}
    return found | {member: value for member, value in extra.items() if value}


def _epoch(at: datetime) -> float:
    """Return epoch seconds of one of moto's times, which are UTC's without saying so."""
    return at.replace(tzinfo=timezone.utc).timestamp()


OPERATIONS: dict[str, Handler] = {f"List{what}s": listing(what) for what in _KINDS}
