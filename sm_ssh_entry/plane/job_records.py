"""Training and processing jobs that run on this plane, as SageMaker describes them. Others are moto's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane.api import AwsError, Handler, NotOurs, Request
from sm_ssh_entry.plane.opt_ml import INSTANCE_TYPE
from sm_ssh_entry.plane.store import Store, partition_of

STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped")
KINDS = ("training", "processing")


@dataclass
class LocalJob:
    """One job. Times are epoch seconds; ``ended`` is None while it runs."""

    kind: str
    name: str
    region: str
    account: str
    nodes: int
    created: float
    status: str = "InProgress"
    ended: float | None = None
    failure: str = ""

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return f"arn:{partition_of(self.region)}:sagemaker:{self.region}:{self.account}:{self.kind}-job/{self.name}"

    def describe(self) -> dict[str, Any]:
        """Return DescribeTrainingJob's or DescribeProcessingJob's answer: what it must have, and how the job is."""
        noun = "TrainingJob" if self.kind == "training" else "ProcessingJob"
        common = {f"{noun}Name": self.name, f"{noun}Arn": self.arn, f"{noun}Status": self.status}
        return common | (self._training() if self.kind == "training" else self._processing())

    def _training(self) -> dict[str, Any]:
        ended = {} if self.ended is None else {"TrainingEndTime": self.ended}
        return {
            "SecondaryStatus": "Training" if self.status == "InProgress" else self.status,
            "AlgorithmSpecification": {"TrainingInputMode": "File"},
            "ModelArtifacts": {"S3ModelArtifacts": ""},
            "ResourceConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": self.nodes, "VolumeSizeInGB": 1},
            "StoppingCondition": {},
            "CreationTime": self.created,
            "TrainingStartTime": self.created,
            **ended,
            **({"FailureReason": self.failure} if self.failure else {}),
        }

    def _processing(self) -> dict[str, Any]:
        ended = {} if self.ended is None else {"ProcessingEndTime": self.ended}
        cluster = {"InstanceType": INSTANCE_TYPE, "InstanceCount": self.nodes, "VolumeSizeInGB": 1}
        return {
            "AppSpecification": {"ImageUri": "local"},
            "ProcessingResources": {"ClusterConfig": cluster},
            "CreationTime": self.created,
            "ProcessingStartTime": self.created,
            **ended,
            **({"ExitMessage": self.failure} if self.failure else {}),
        }


def note(store: Store, fields: dict[str, Any]) -> LocalJob:
    """Add a job, or change one, as its runner says.

    Args:
        store: the plane's state.
        fields: ``name``, ``region``, ``kind`` (training if it is missing); for a new one ``nodes``; for a known one
            ``job_status`` and perhaps ``failure``.

    Raises:
        AwsError: ResourceInUse, where a job of that name still runs; ResourceNotFound, where there is none to change.
    """
    kind = fields.get("kind", "training")
    if kind not in KINDS:
        raise AwsError("ValidationException", f"A job's kind is one of {', '.join(KINDS)}.")
    key = (fields["region"], kind, fields["name"])
    known = store.jobs.get(key)
    if "job_status" not in fields:
        if known is not None and known.ended is None:
            raise AwsError("ResourceInUse", f"A {kind} job named {known.name} runs already.")
        known = LocalJob(kind, fields["name"], fields["region"], store.account, fields["nodes"], store.clock())
        store.jobs[key] = known
        return known
    if known is None:
        raise AwsError("ResourceNotFound", f"No {kind} job named {fields['name']} runs here.")
    if fields["job_status"] not in STATUSES:
        raise AwsError("ValidationException", f"A job's status is one of {', '.join(STATUSES)}.")
    known.status = fields["job_status"]
    known.failure = fields.get("failure", "")
    known.ended = None if known.status in {"InProgress", "Stopping"} else store.clock()
    return known


def _described(kind: str, argument: str) -> Handler:
    async def describe(store: Store, request: Request) -> dict[str, Any]:
        job = store.jobs.get((request.region, kind, str(request.params.get(argument))))
        if job is None:
            raise NotOurs
        return job.describe()

    return describe


OPERATIONS: dict[str, Handler] = {
    "DescribeTrainingJob": _described("training", "TrainingJobName"),
    "DescribeProcessingJob": _described("processing", "ProcessingJobName"),
}
