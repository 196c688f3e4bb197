"""What ran on a plane: every job and endpoint that it knows, how it ended and where its outputs are.

It asks as any client would, by List and Describe calls, so it says what SageMaker's API says; only the folder on this
machine is the plane's own knowledge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sm_ssh_entry import aws, command
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane import kinds
from sm_ssh_entry.plane.execution import clusters

Members = Mapping[str, Any]
_PHASES = {"Starting": "starting", "Downloading": "downloading", "Training": "training", "Uploading": "uploading"}


@dataclass(frozen=True)
class Ran:
    """One resource.

    Args:
        kind: ``training``, ``processing``, ``transform``, ``inference`` or ``tuning``.
        name: its name.
        status: the service's word for how it stands.
        secondary: a training job's secondary status.
        reason: why it failed, or what it said when it ended.
        nodes: how many; of a tuning job: training jobs.
        image: what its containers are of; ``""``: it does not say.
        command: what the request replaced the image's own with; ``""``: nothing.
        created: when it was asked for.
        seconds: how long it ran, or has run.
        phases: a training job's seconds by phase.
        outputs: addresses on S3.
        folder: of its latest run on this machine; ``""``: there is none.
        log_group: in CloudWatch Logs.
    """

    kind: str
    name: str
    status: str
    created: datetime
    secondary: str = ""
    reason: str = ""
    nodes: int = 1
    image: str = ""
    command: str = ""
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    folder: str = ""
    log_group: str = ""


class _Reader:
    """Asks the plane of one region."""

    def __init__(self, region: str, where: Path) -> None:
        self.sagemaker, self.s3 = aws.client("sagemaker", region=region), aws.client("s3", region=region)
        self.where = where

    def all(self, name: str) -> Iterator[Ran]:
        """Give all there is, or what is of a name."""
        for kind, (operation, listed, member, read) in _KINDS.items():
            pages = self.sagemaker.get_paginator(f"list_{operation}s").paginate(
                **({"NameContains": name} if name else {})
            )
            for page in pages:
                for one in page[listed]:
                    if name in ("", one[member]):
                        describe = getattr(self.sagemaker, f"describe_{operation}")
                        yield self._read(kind, one[member], describe(**{member: one[member]}), read)

    def _read(self, kind: str, name: str, said: Members, read: Callable[[_Reader, Members], Members]) -> Ran:
        fields = {"created": said["CreationTime"], "reason": said.get("FailureReason", ""), **read(self, said)}
        group = kinds.log_group(kind, name)
        return Ran(kind, name, folder=self._folder(name), log_group=group, **fields)

    def _folder(self, name: str) -> str:
        """Return the folder of a job's latest run; runs are numbered."""
        runs = (self.where / "jobs" / name).glob("[0-9]*")
        latest = max(runs, key=lambda run: int(run.name) if run.name.isdecimal() else 0, default=None)
        return str(latest) if latest else ""

    def objects(self, prefix: str) -> list[str]:
        """Return the addresses of what lies below a prefix: no more than a screen has room for."""
        bucket, _, key = prefix.removeprefix("s3://").partition("/")
        try:
            with aws.errors_of():
                found = self.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=20)
        except SmSshError:
            return []
        return [f"s3://{bucket}/{one['Key']}" for one in found.get("Contents", ())]

    def image_of(self, model: str) -> str:
        """Return the image of a model; ``""``: it is gone."""
        try:
            with aws.errors_of():
                said = self.sagemaker.describe_model(ModelName=model)
        except SmSshError:
            return ""
        return str((said.get("PrimaryContainer") or (said.get("Containers") or [{}])[0]).get("Image", ""))


def find(region: str, where: Path, name: str = "") -> list[Ran]:
    """Return what the plane knows, the oldest first; this process is a client of it.

    Args:
        region: its region.
        where: the plane's folder.
        name: only what is called so; ``""``: all.
    """
    with aws.errors_of(region=region):
        return sorted(_Reader(region, where).all(name), key=lambda one: one.created)


def record(one: Ran) -> dict[str, Any]:
    """Return it as programs read it. Keys are never taken away and never change their meaning.

    Args:
        one: what ran.
    """
    return {
        "kind": one.kind,
        "name": one.name,
        "status": one.status,
        "secondary_status": one.secondary or None,
        "reason": one.reason or None,
        "nodes": one.nodes,
        "image": one.image or None,
        "command": one.command or None,
        "created": one.created.isoformat(),
        "seconds": round(one.seconds, 3),
        "phases": {name: round(seconds, 3) for name, seconds in one.phases.items()},
        "outputs": list(one.outputs),
        "folder": one.folder or None,
        "log_group": one.log_group or None,
    }


def _training(reader: _Reader, said: Members) -> Members:
    algorithm = said["AlgorithmSpecification"]
    base = f"{said['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{said['TrainingJobName']}/output/"
    checkpoints = said.get("CheckpointConfig") or {}
    phases: dict[str, float] = {}
    for step in said.get("SecondaryStatusTransitions") or ():
        phase = _PHASES.get(step["Status"])
        if phase:
            phases[phase] = phases.get(phase, 0.0) + _between(step["StartTime"], step.get("EndTime"))
    return {
        "status": said["TrainingJobStatus"],
        "secondary": said.get("SecondaryStatus", ""),
        "nodes": sum(len(group.nodes) for group in clusters.groups(said["ResourceConfig"])),
        "image": algorithm.get("TrainingImage", ""),
        "command": _command(algorithm),
        "seconds": _between(said["CreationTime"], said.get("TrainingEndTime")),
        "phases": phases,
        "outputs": [*reader.objects(base), *([checkpoints["S3Uri"]] if checkpoints.get("S3Uri") else [])],
    }


def _processing(_: _Reader, said: Members) -> Members:
    app, outputs = said["AppSpecification"], (said.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
    return {
        "status": said["ProcessingJobStatus"],
        "reason": said.get("FailureReason") or said.get("ExitMessage") or "",
        "nodes": said["ProcessingResources"]["ClusterConfig"]["InstanceCount"],
        "image": app["ImageUri"],
        "command": _command(app),
        "seconds": _between(said["CreationTime"], said.get("ProcessingEndTime")),
        "outputs": [one["S3Output"]["S3Uri"] for one in outputs if "S3Output" in one],
    }


def _transform(reader: _Reader, said: Members) -> Members:
    return {
        "status": said["TransformJobStatus"],
        "nodes": said["TransformResources"]["InstanceCount"],
        "image": reader.image_of(said["ModelName"]),
        "seconds": _between(said["CreationTime"], said.get("TransformEndTime")),
        "outputs": [said["TransformOutput"]["S3OutputPath"]],
    }


def _endpoint(reader: _Reader, said: Members) -> Members:
    variants = said.get("ProductionVariants") or ()
    with aws.errors_of():
        config = reader.sagemaker.describe_endpoint_config(EndpointConfigName=said["EndpointConfigName"])
    models = [one["ModelName"] for one in config["ProductionVariants"] if one.get("ModelName")]
    return {
        "status": said["EndpointStatus"],
        "nodes": sum(one.get("CurrentInstanceCount") or one.get("DesiredInstanceCount") or 1 for one in variants),
        "image": ", ".join(dict.fromkeys(filter(None, map(reader.image_of, models)))),
        "seconds": _between(
            said["CreationTime"], None if said["EndpointStatus"] != "Failed" else said["LastModifiedTime"]
        ),
    }


def _tuning(_: _Reader, said: Members) -> Members:
    best = (said.get("BestTrainingJob") or {}).get("TrainingJobName", "")
    return {
        "status": said["HyperParameterTuningJobStatus"],
        "reason": said.get("FailureReason") or (f"best: {best}" if best else ""),
        "nodes": sum((said.get("TrainingJobStatusCounters") or {}).values()),
        "seconds": _between(said["CreationTime"], said.get("HyperParameterTuningEndTime")),
    }


# Kind -> words of the List and Describe calls: the operation, the summaries, the name's member, and what reads it.
_KINDS: Mapping[str, tuple[str, str, str, Callable[[_Reader, Members], Members]]] = {
    "training": ("training_job", "TrainingJobSummaries", "TrainingJobName", _training),
    "processing": ("processing_job", "ProcessingJobSummaries", "ProcessingJobName", _processing),
    "transform": ("transform_job", "TransformJobSummaries", "TransformJobName", _transform),
    "inference": ("endpoint", "Endpoints", "EndpointName", _endpoint),
    "tuning": (
        "hyper_parameter_tuning_job",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobName",
        _tuning,
    ),
}


def _command(said: Members) -> str:
    return command.join([*(said.get("ContainerEntrypoint") or ()), *(said.get("ContainerArguments") or ())])


def _between(start: datetime, end: datetime | None) -> float:
    return max((end or datetime.now(timezone.utc)).timestamp() - start.timestamp(), 0.0)
