"""ListTrainingJobs and DeleteTrainingJob over moto's records: moto cuts a page before it filters, and never sorts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane import sagemaker_records
from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.store import Store

_SORTS: Mapping[str, Callable[[Any], Any]] = {
    "CreationTime": lambda job: job.creation_time,
    "Name": lambda job: job.training_job_name,
    "Status": lambda job: job.training_job_status,
}


async def list_training_jobs(store: Store, request: Request) -> dict[str, Any]:
    """List training jobs, filtered and in the order that was asked for.

    Raises:
        AwsError: InvalidNextToken.
    """
    params = request.params

    def jobs() -> list[Any]:
        return list(sagemaker_records.backend(store, request.region).training_jobs.values())

    found = sorted(await asyncio.to_thread(jobs), key=_SORTS[params.get("SortBy", "CreationTime")])
    # A job's place does not depend on the filters, so that a page goes on where the last one ended.
    numbered = list(enumerate(found))
    if params.get("SortOrder") == "Descending":
        numbered = [(-place, job) for place, job in reversed(numbered)]
    items, token = page(request, numbered, lambda pair: pair[0], default=10, keep=lambda pair: _wanted(pair[1], params))
    return {"TrainingJobSummaries": [_summary(job) for _, job in items]} | token


async def delete_training_job(store: Store, request: Request) -> dict[str, Any]:
    """Forget a training job that has ended.

    Raises:
        AwsError: ResourceNotFound; ResourceInUse, where it has not ended.
    """
    name = request.params["TrainingJobName"]
    where = sagemaker_records.arn(store, request.region, f"training-job/{name}")

    def delete() -> None:
        table = sagemaker_records.backend(store, request.region).training_jobs
        if name not in table:
            raise AwsError("ResourceNotFound", f"Could not find training job '{where}'.")
        if sagemaker_records.is_running(table[name]):
            raise AwsError(
                "ResourceInUse", f"{where} is {table[name].training_job_status}: a job is deleted when it has ended."
            )
        del table[name]

    await asyncio.to_thread(delete)
    return {}


def _wanted(job: Any, params: Mapping[str, Any]) -> bool:
    created, changed = _epoch(job.creation_time), _epoch(job.last_modified_time)
    return (
        params.get("NameContains", "").lower() in job.training_job_name.lower()
        and params.get("StatusEquals") in (None, job.training_job_status)
        and created > params.get("CreationTimeAfter", float("-inf"))
        and created < params.get("CreationTimeBefore", float("inf"))
        and changed > params.get("LastModifiedTimeAfter", float("-inf"))
        and changed < params.get("LastModifiedTimeBefore", float("inf"))
    )


def _summary(job: Any) -> dict[str, Any]:
    found = {
        "TrainingJobName": job.training_job_name,
        "TrainingJobArn": job.arn,
        "CreationTime": _epoch(job.creation_time),
        "LastModifiedTime": _epoch(job.last_modified_time),
        "TrainingJobStatus": job.training_job_status,
        "SecondaryStatus": job.secondary_status,
    }
    return found | ({"TrainingEndTime": _epoch(job.training_end_time)} if job.training_end_time else {})


def _epoch(at: datetime) -> float:
    """Return epoch seconds of one of moto's times, which are UTC's without saying so."""
    return at.replace(tzinfo=timezone.utc).timestamp()


OPERATIONS: dict[str, Handler] = {
    "ListTrainingJobs": list_training_jobs,
    "DeleteTrainingJob": delete_training_job,
}
