"""A training job: channels from S3, its containers, its model and output to S3, and a status at each step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.plane import running
from sm_ssh_entry.plane.containers import Box
from sm_ssh_entry.plane.execution import storage
from sm_ssh_entry.plane.execution.work import OVERTIME, Failed, Work
from sm_ssh_entry.plane.jobs import Job
from sm_ssh_entry.plane.local_job import Place

# SageMaker keeps this much of the failure file (contract page, section 1.3).
_FAILURE_CHARACTERS = 1024


def run(work: Work) -> None:
    """Run a training job to its end.

    Args:
        work: its order.

    Raises:
        Failed: it failed.
        Stopped: it was stopped before it ran.
    """
    request = work.order.request
    work.note("InProgress", secondary="Downloading", message="Downloading input data")
    folder = work.folder() / "channels" / work.order.name
    channels = {one["ChannelName"]: _channel(work, one, folder) for one in request.get("InputDataConfig") or ()}
    work.check()
    place = work.place(_job(work, channels))
    work.note("InProgress", secondary="Training", message="Training image download completed. Training in progress.")
    work.limit(request["StoppingCondition"].get("MaxRuntimeInSeconds", 86400))
    box = Box(request["AlgorithmSpecification"].get("TrainingImage", "")) if work.in_containers() else None
    end = work.run(place, box)
    work.unlimit()
    work.note("InProgress", secondary="Uploading", message="Uploading generated training model")
    _upload(work, place)
    _close(work, place, end)


def _job(work: Work, channels: Mapping[str, Path]) -> Job:
    request = work.order.request
    algorithm = request["AlgorithmSpecification"]
    return Job(
        name=work.order.name,
        argv=(*algorithm.get("ContainerEntrypoint", ()), *algorithm.get("ContainerArguments", ())) or ("train",),
        folder=work.folder(),
        nodes=request["ResourceConfig"].get("InstanceCount", 1),
        environment=request.get("Environment") or {},
        channels=channels,
        hyperparameters=request.get("HyperParameters") or {},
        submitted=True,
    )


def _channel(work: Work, channel: Mapping[str, Any], folder: Path) -> Path:
    source = channel["DataSource"]["S3DataSource"]["S3Uri"]
    target = folder / str(channel["ChannelName"])
    target.mkdir(parents=True, exist_ok=True)
    if not storage.download(work.s3, source, target):
        raise Failed(f"ClientError: Data download failed: No S3 objects found under S3 URL {source!r}")
    return target


def _upload(work: Work, place: Place) -> None:
    request = work.order.request
    base = f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{work.order.name}/output"
    ml = place.job.root(place.job.node_names[0]) / "opt" / "ml"
    if any((ml / "model").iterdir()):
        uri = storage.upload_archive(work.s3, ml / "model", f"{base}/model.tar.gz")
        work.note("InProgress", secondary="Uploading", ModelArtifacts={"S3ModelArtifacts": uri})
    if any((ml / "output" / "data").iterdir()):
        storage.upload_archive(work.s3, ml / "output" / "data", f"{base}/output.tar.gz")


def _close(work: Work, place: Place, end: running.End) -> None:
    if work.stopping == OVERTIME:
        work.note(
            "Stopped", secondary="MaxRuntimeExceeded", message="Training job runtime exceeded MaxRuntimeInSeconds"
        )
    elif end.stopped:
        work.note("Stopped", secondary="Stopped", message="Training job stopped")
    elif end.status:
        reason = f"AlgorithmError: {_failure(place)}, exit code: {end.status}"
        work.note("Failed", failure=reason, secondary="Failed", message=reason)
    else:
        work.note("Completed", secondary="Completed", message="Training job completed")


def _failure(place: Place) -> str:
    for node in place.job.node_names:
        file = contract.Paths(str(place.job.root(node))).failure
        if file.is_file():
            return file.read_text(encoding="utf-8", errors="replace")[:_FAILURE_CHARACTERS]
    return ""
