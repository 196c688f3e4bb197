"""Create and Stop calls of what really runs: the record first, then a runner at the desk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane import job_records, sagemaker_records
from sm_ssh_entry.plane.api import AwsError, Handler, NotOurs, Request
from sm_ssh_entry.plane.execution.order import STOP
from sm_ssh_entry.plane.store import Store


@dataclass(frozen=True)
class _Kind:
    """One kind of job: the word in our names, the member with its name, and its part of an ARN."""

    kind: str
    member: str
    resource: str


_JOBS: Mapping[str, _Kind] = {
    "TrainingJob": _Kind("training", "TrainingJobName", "training-job"),
    "ProcessingJob": _Kind("processing", "ProcessingJobName", "processing-job"),
    "TransformJob": _Kind("transform", "TransformJobName", "transform-job"),
}


def creating(what: str) -> Handler:
    """Return the handler of a job's Create operation.

    Args:
        what: ``TrainingJob`` for one.
    """
    one, operation = _JOBS[what], f"Create{what}"
    record = sagemaker_records.creating(operation)

    async def handle(store: Store, request: Request) -> dict[str, Any]:
        runs = store.desk is not None and store.desk.runs
        if runs and what == "TransformJob":
            model = request.params["ModelName"]
            await asyncio.to_thread(sagemaker_records.require_model, store, request.region, model)
        answer = await record(store, request)
        if store.desk is not None and runs:
            name = request.params[one.member]
            await asyncio.to_thread(job_records.begin, store, one.kind, request.region, name)
            await store.desk.start(one.kind, name, request.region, arn=answer[f"{what}Arn"], request=request.params)
        return answer

    return handle


def stopping(what: str) -> Handler:
    """Return the handler of a job's Stop operation.

    Args:
        what: ``TrainingJob`` for one.
    """
    one = _JOBS[what]

    async def handle(store: Store, request: Request) -> dict[str, Any]:
        if store.desk is None or not store.desk.runs:
            raise NotOurs
        name = request.params[one.member]
        await asyncio.to_thread(_stop, store, one, request.region, name)
        await store.desk.tell(one.kind, name, request.region, STOP)
        return {}

    return handle


def _stop(store: Store, one: _Kind, region: str, name: str) -> None:
    job = job_records.found(store, one.kind, region, name)
    if job is None:
        where = sagemaker_records.arn(store, region, f"{one.resource}/{name}")
        raise AwsError("ResourceNotFound", f"Could not find {one.resource.replace('-', ' ')} '{where}'.")
    if not sagemaker_records.is_running(job):
        status = getattr(job, f"{one.kind}_job_status")
        raise AwsError(
            "ValidationException", f"The request was rejected because the {one.kind} job is in status {status}."
        )
    fields = {"kind": one.kind, "name": name, "region": region, "job_status": "Stopping", "secondary": "Stopping"}
    job_records.note(store, fields | {"message": f"Stopping the {one.kind} job"})


OPERATIONS: dict[str, Handler] = {
    **{f"Create{what}": creating(what) for what in _JOBS},
    **{f"Stop{what}": stopping(what) for what in _JOBS},
}
