"""Tuning jobs as the plane answers for them: their counters and best trial are worked out of their training jobs.

The record is moto's, which answers Describe and List once this module has brought it up to date.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane import sagemaker_records
from sm_ssh_entry.plane.api import AwsError, Handler, NotOurs, Request
from sm_ssh_entry.plane.execution import tuning_search
from sm_ssh_entry.plane.execution.order import STOP
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.store import Store

KIND = "tuning"
# What the service adds to the hyperparameters of a trial: the name of the metric that is tuned for.
OBJECTIVE_PARAMETER = "_tuning_objective_metric"
_RUNNING = ("InProgress", "Stopping")
# Training jobs of a tuning job: its name, a number, eight hexadecimal digits.
_CHILD = re.compile(r"-\d{3,}-[0-9a-f]{8}")


async def create(store: Store, request: Request) -> dict[str, Any]:
    """Make a tuning job and start its runner; where jobs are records only, moto makes one.

    Raises:
        AwsError: ResourceInUse, ValidationException.
    """
    if store.desk is None or not store.desk.runs:
        raise NotOurs
    params, region = request.params, request.region
    tuning_search.check(params)
    arn = await asyncio.to_thread(_make, store, region, params)
    await store.desk.start(KIND, params["HyperParameterTuningJobName"], region, arn=arn, request=params)
    return {"HyperParameterTuningJobArn": arn}


async def stop(store: Store, request: Request) -> dict[str, Any]:
    """Stop a tuning job and the training jobs that it runs.

    Raises:
        AwsError: ResourceNotFound; ValidationException, where it has ended.
    """
    if store.desk is None or not store.desk.runs:
        raise NotOurs
    name = request.params["HyperParameterTuningJobName"]

    def mark() -> None:
        record = _require(store, request.region, name)
        status = record.hyper_parameter_tuning_job_status
        if status not in _RUNNING:
            raise AwsError("ValidationException", f"The request was rejected because the job is in status {status}.")
        record.hyper_parameter_tuning_job_status = "Stopping"

    await asyncio.to_thread(mark)
    await store.desk.tell(KIND, name, request.region, STOP)
    return {}


async def delete(store: Store, request: Request) -> dict[str, Any]:
    """Let moto forget a tuning job that has ended.

    Raises:
        AwsError: ValidationException, where it runs.
    """
    name = request.params["HyperParameterTuningJobName"]
    record = await asyncio.to_thread(_found, store, request.region, name)
    if _ours(record) and record.hyper_parameter_tuning_job_status in _RUNNING:
        raise AwsError("ValidationException", f"The tuning job {name} runs: stop it first.")
    raise NotOurs


async def refresh(store: Store, request: Request) -> dict[str, Any]:
    """Bring the records of tuning jobs up to date, and let moto answer."""
    name = request.params.get("HyperParameterTuningJobName")

    def update() -> None:
        records = sagemaker_records.backend(store, request.region).hyper_parameter_tuning_jobs
        for record in list(records.values()) if name is None else filter(None, [records.get(name)]):
            if _ours(record):
                _count(store, request.region, record)

    await asyncio.to_thread(update)
    raise NotOurs


async def list_children(store: Store, request: Request) -> dict[str, Any]:
    """List the training jobs of a tuning job: those that are named as its own are.

    Raises:
        AwsError: ResourceNotFound, InvalidNextToken.
    """
    params = request.params
    name, wanted = params["HyperParameterTuningJobName"], params.get("StatusEquals")

    def children() -> list[dict[str, Any]]:
        return summaries(store, request.region, _require(store, request.region, name))

    found = [one for one in await asyncio.to_thread(children) if wanted in (None, one["TrainingJobStatus"])]
    by = params.get("SortBy", "Name")
    if by == "FinalObjectiveMetricValue":
        found = [one for one in found if _value(one) is not None]
    member = {"CreationTime": "CreationTime", "Status": "TrainingJobStatus"}.get(by, "TrainingJobName")

    def key(one: Mapping[str, Any]) -> Any:
        return _value(one) if by == "FinalObjectiveMetricValue" else one[member]

    found.sort(key=key, reverse=params.get("SortOrder") == "Descending")
    items, token = page(request, list(enumerate(found, 1)), lambda pair: pair[0], default=10)
    return {"TrainingJobSummaries": [_on_the_wire(one) for _, one in items]} | token


def note(store: Store, fields: Mapping[str, Any]) -> dict[str, str]:
    """Change a tuning job's record as its runner says, and return its ARN and status.

    Args:
        store: the plane's state.
        fields: see ``job_records.note``; of ``members``, ``Trials`` says what each training job tries.

    Raises:
        AwsError: ResourceNotFound.
    """
    record = _require(store, fields["region"], fields["name"])
    status = fields.get("job_status", "InProgress")
    # A stop that was asked for is not taken back by a trial that starts at that moment.
    if not (status == "InProgress" and record.hyper_parameter_tuning_job_status == "Stopping"):
        record.hyper_parameter_tuning_job_status = status
    record.failure_reason = fields.get("failure") or None
    record.last_modified_time = _now(store)
    for member, value in (fields.get("members") or {}).items():
        setattr(record, sagemaker_records.word(member), value)
    if status not in _RUNNING:
        record.hyper_parameter_tuning_end_time = _now(store)
    jobs = sagemaker_records.backend(store, fields["region"]).training_jobs
    for child in record.trials:
        if child in jobs:
            jobs[child].tuning_job_arn = record.arn
    return {"arn": str(record.arn), "status": status}


def summaries(store: Store, region: str, record: Any) -> list[dict[str, Any]]:
    """Return a summary of each training job of a tuning job, in order of creation, with times as moto has them.

    Args:
        store: the plane's state.
        region: its region.
        record: moto's record of the tuning job.
    """
    name = record.hyper_parameter_tuning_job_name
    jobs = list(sagemaker_records.backend(store, region).training_jobs.values())
    return [
        _summary(record, job)
        for job in jobs
        if job.training_job_name.startswith(f"{name}-") and _CHILD.fullmatch(job.training_job_name[len(name) :])
    ]


def _make(store: Store, region: str, params: Mapping[str, Any]) -> str:
    there = sagemaker_records.backend(store, region)
    name = params["HyperParameterTuningJobName"]
    if name in there.hyper_parameter_tuning_jobs:
        where = sagemaker_records.arn(store, region, f"hyper-parameter-tuning-job/{name}")
        raise AwsError("ResourceInUse", f"{where} already exists.")
    sagemaker_records.call(there.create_hyper_parameter_tuning_job, params)
    record = there.hyper_parameter_tuning_jobs[name]
    record.trials = {}
    record.hyper_parameter_tuning_job_status = "InProgress"
    # As the service describes it: SDKs that attach to a tuning job take this one out again.
    if record.training_job_definition is not None:
        record.training_job_definition = _described(record.training_job_definition, params)
    if record.training_job_definitions:
        record.training_job_definitions = [_described(one, params) for one in record.training_job_definitions]
    _forget_made_up(record)
    _count(store, region, record)
    return str(record.arn)


def _described(definition: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    objective = definition.get("TuningObjective") or params["HyperParameterTuningJobConfig"].get(
        "HyperParameterTuningJobObjective"
    )
    fixed = {OBJECTIVE_PARAMETER: objective["MetricName"]} if objective else {}
    static = {**(definition.get("StaticHyperParameters") or {}), **fixed}
    # SDK v2 sends resources as a tuning job's, and reads them as a training job's when it attaches.
    return {**definition, **tuning_search.resources(definition), "StaticHyperParameters": static}


def _forget_made_up(record: Any) -> None:
    """Take away what moto's record says of a tuning job that has run to its end at once."""
    record.hyper_parameter_tuning_end_time = record.best_training_job = record.OverallBestTrainingJob = None
    record.tuning_job_completion_details = record.failure_reason = None


def _count(store: Store, region: str, record: Any) -> None:
    """Work out the counters and the best trial."""
    found = summaries(store, region, record)
    statuses = [_counted(one) for one in found]
    names = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
    record.training_job_status_counters = {name: statuses.count(name) for name in names}
    objectives = [one["ObjectiveStatus"] for one in found]
    record.objective_status_counters = {name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")}
    end = record.hyper_parameter_tuning_end_time or _now(store)
    record.consumed_resources = {"RuntimeInSeconds": int((end - record.creation_time).total_seconds())}
    record.best_training_job = _best(record, found)


def _counted(one: Mapping[str, Any]) -> str:
    status = str(one["TrainingJobStatus"])
    if status == "Failed":
        internal = str(one.get("FailureReason", "")).startswith("InternalServerError")
        return "RetryableError" if internal else "NonRetryableError"
    return "InProgress" if status in _RUNNING else status


def _best(record: Any, found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the best trial; of several definitions with objectives of their own, the first one's that has any."""
    tried = [one for one in found if _value(one) is not None]
    if not tried:
        return None
    first = tried[0].get("TrainingJobDefinitionName")
    tried = [one for one in tried if one.get("TrainingJobDefinitionName") == first]
    choose = max if (_objective(record, first) or {}).get("Type") == "Maximize" else min
    return choose(tried, key=lambda one: float(_value(one) or 0.0))


def _summary(record: Any, job: Any) -> dict[str, Any]:
    trial = getattr(record, "trials", {}).get(job.training_job_name) or {}
    definition = trial.get("definition") or None
    found = {
        "TrainingJobDefinitionName": definition,
        "TrainingJobName": job.training_job_name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.creation_time,
        "TrainingStartTime": job.training_start_time,
        "TrainingEndTime": job.training_end_time,
        "TrainingJobStatus": job.training_job_status,
        "TunedHyperParameters": trial.get("tuned", dict(job.hyper_parameters or {})),
        "FailureReason": getattr(job, "failure_reason", None),
    }
    objective = _objective(record, definition)
    value = None
    if job.training_job_status not in _RUNNING and objective:
        value = _measured(job, objective["MetricName"])
    if objective and value is not None:
        metric = {"MetricName": objective["MetricName"], "Value": value}
        found["FinalHyperParameterTuningJobObjectiveMetric"] = metric | (
            {"Type": objective["Type"]} if definition else {}
        )
    if job.training_job_status in _RUNNING:
        found["ObjectiveStatus"] = "Pending"
    else:
        found["ObjectiveStatus"] = "Failed" if value is None else "Succeeded"
    return {member: value for member, value in found.items() if value is not None}


def _objective(record: Any, definition: str | None) -> Mapping[str, Any] | None:
    for one in record.training_job_definitions or ():
        if one.get("DefinitionName") == definition and "TuningObjective" in one:
            return dict(one["TuningObjective"])
    single = (record.training_job_definition or {}).get("TuningObjective")
    found: Mapping[str, Any] | None = single or record.hyper_parameter_tuning_job_config.get(
        "HyperParameterTuningJobObjective"
    )
    return found


def _measured(job: Any, metric: str) -> float | None:
    for one in job.final_metric_data_list or ():
        if one["MetricName"] == metric and math.isfinite(one["Value"]):
            return float(one["Value"])
    return None


def _value(one: Mapping[str, Any]) -> float | None:
    metric = one.get("FinalHyperParameterTuningJobObjectiveMetric")
    return None if metric is None else float(metric["Value"])


def _on_the_wire(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary with times as JSON has them; moto's are UTC without saying so."""
    return {
        member: value.replace(tzinfo=timezone.utc).timestamp() if isinstance(value, datetime) else value
        for member, value in one.items()
    }


def _ours(record: Any) -> bool:
    """Whether a record is of a tuning job that really runs here."""
    return hasattr(record, "trials")


def _found(store: Store, region: str, name: str) -> Any:
    return sagemaker_records.backend(store, region).hyper_parameter_tuning_jobs.get(name)


def _require(store: Store, region: str, name: str) -> Any:
    record = _found(store, region, name)
    if record is None:
        where = sagemaker_records.arn(store, region, f"hyper-parameter-tuning-job/{name}")
        raise AwsError("ResourceNotFound", f"Amazon SageMaker can't find a tuning job with ARN {where}.")
    return record


def _now(store: Store) -> datetime:
    return datetime.fromtimestamp(store.clock(), timezone.utc).replace(tzinfo=None)


OPERATIONS: dict[str, Handler] = {
    "CreateHyperParameterTuningJob": create,
    "StopHyperParameterTuningJob": stop,
    "DeleteHyperParameterTuningJob": delete,
    "DescribeHyperParameterTuningJob": refresh,
    "ListHyperParameterTuningJobs": refresh,
    "ListTrainingJobsForHyperParameterTuningJob": list_children,
}
