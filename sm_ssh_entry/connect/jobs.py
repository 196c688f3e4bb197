"""What SageMaker says about the job or endpoint behind a name. Asked while a node is missing, never on the way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import ServiceError

_ENDED = {"Completed", "Failed", "Stopped", "OutOfService", "Deleting", "Deleted"}
# SageMaker answers ValidationException for a name that does not exist; our pattern leaves no other cause for it.
_UNKNOWN = {"ValidationException", "ResourceNotFound", "ResourceNotFoundException"}


@dataclass(frozen=True)
class _Call:
    noun: str
    operation: str
    method: str
    argument: str
    status: str
    detail: str = ""


_CALLS: Mapping[str, _Call] = {
    "training": _Call(
        "training job",
        "DescribeTrainingJob",
        "describe_training_job",
        "TrainingJobName",
        "TrainingJobStatus",
        "SecondaryStatus",
    ),
    "processing": _Call(
        "processing job",
        "DescribeProcessingJob",
        "describe_processing_job",
        "ProcessingJobName",
        "ProcessingJobStatus",
    ),
    "transform": _Call(
        "transform job", "DescribeTransformJob", "describe_transform_job", "TransformJobName", "TransformJobStatus"
    ),
    "inference": _Call("endpoint", "DescribeEndpoint", "describe_endpoint", "EndpointName", "EndpointStatus"),
    "notebook": _Call(
        "notebook instance",
        "DescribeNotebookInstance",
        "describe_notebook_instance",
        "NotebookInstanceName",
        "NotebookInstanceStatus",
    ),
}


@dataclass(frozen=True)
class Job:
    """A job as SageMaker describes it.

    Attributes:
        noun: ``training job``.
        name: its name.
        status: ``InProgress``.
        detail: ``Downloading``; ``""``: none.
        reason: why it failed; ``""``: it did not.
    """

    noun: str
    name: str
    status: str
    detail: str = ""
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether no node will come any more."""
        return self.status in _ENDED

    @property
    def state(self) -> str:
        """Status and detail in one."""
        return f"{self.status}, {self.detail}" if self.detail and self.detail != self.status else self.status


def describable(target: Target) -> bool:
    """Whether SageMaker can be asked about this kind by name alone."""
    return target.kind in _CALLS


def noun(target: Target) -> str:
    """Return what the name's kind is called: ``training job``."""
    return _CALLS[target.kind].noun if describable(target) else f"{target.kind} resource"


def describe(access: Access, target: Target, *, timeout: float = 10.0, attempts: int = 3) -> Job | None:
    """Ask SageMaker about a name; None where it knows none such.

    Args:
        access: account and region.
        target: a name whose kind is ``describable``.
        timeout: seconds for one answer.
        attempts: tries in all.

    Raises:
        AccessDenied: the caller may not ask.
    """
    return ask(access.client("sagemaker", timeout=timeout, attempts=attempts), target)


def ask(sagemaker: Any, target: Target) -> Job | None:
    """Like ``describe``, with a client at hand."""
    call = _CALLS[target.kind]
    try:
        with aws.errors_of(action=f"sagemaker:{call.operation}"):
            answer = getattr(sagemaker, call.method)(**{call.argument: target.resource})
    except ServiceError as error:
        if error.code in _UNKNOWN:
            return None
        raise
    reason = " ".join(str(answer.get("FailureReason") or answer.get("ExitMessage") or "").split())
    return Job(call.noun, target.resource, str(answer.get(call.status, "")), str(answer.get(call.detail, "")), reason)
