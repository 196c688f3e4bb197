"""Training jobs that run on this plane, as SageMaker describes them. Jobs that it does not know are moto's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane.api import AwsError, Handler, NotOurs, Request
from sm_ssh_entry.plane.opt_ml import INSTANCE_TYPE
from sm_ssh_entry.plane.store import Store, partition_of

STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped")


@dataclass
class TrainingJob:
    """One job. Times are epoch seconds; ``ended`` is None while it runs."""

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
        return training_job_arn(self.region, self.account, self.name)

    def describe(self) -> dict[str, Any]:
        """Return DescribeTrainingJob's answer: what it must have, and what tells how the job is."""
        training = "Training" if self.status == "InProgress" else self.status
        ended = {} if self.ended is None else {"TrainingEndTime": self.ended}
        return {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": training,
            "AlgorithmSpecification": {"TrainingInputMode": "File"},
            "ModelArtifacts": {"S3ModelArtifacts": ""},
            "ResourceConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": self.nodes, "VolumeSizeInGB": 1},
            "StoppingCondition": {},
            "CreationTime": self.created,
            "TrainingStartTime": self.created,
            **ended,
            **({"FailureReason": self.failure} if self.failure else {}),
        }


def training_job_arn(region: str, account: str, name: str) -> str:
    """Return the ARN of a training job."""
    return f"arn:{partition_of(region)}:sagemaker:{region}:{account}:training-job/{name}"


def note(store: Store, fields: dict[str, Any]) -> TrainingJob:
    """Add a job, or change one, as its runner says.

    Args:
        store: the plane's state.
        fields: ``name``, ``region``; for a new one ``nodes``; for a known one ``job_status`` and perhaps ``failure``.

    Raises:
        AwsError: ResourceInUse, where a job of that name still runs; ResourceNotFound, where there is none to change.
    """
    key = (fields["region"], fields["name"])
    known = store.training_jobs.get(key)
    if "job_status" not in fields:
        if known is not None and known.ended is None:
            raise AwsError("ResourceInUse", f"A training job named {known.name} runs already.")
        known = TrainingJob(fields["name"], fields["region"], store.account, fields["nodes"], store.clock())
        store.training_jobs[key] = known
        return known
    if known is None:
        raise AwsError("ResourceNotFound", f"No training job named {fields['name']} runs here.")
    if fields["job_status"] not in STATUSES:
        raise AwsError("ValidationException", f"A training job's status is one of {', '.join(STATUSES)}.")
    known.status = fields["job_status"]
    known.failure = fields.get("failure", "")
    known.ended = None if known.status in {"InProgress", "Stopping"} else store.clock()
    return known


async def _describe(store: Store, request: Request) -> dict[str, Any]:
    job = store.training_jobs.get((request.region, str(request.params.get("TrainingJobName"))))
    if job is None:
        raise NotOurs
    return job.describe()


OPERATIONS: dict[str, Handler] = {"DescribeTrainingJob": _describe}
