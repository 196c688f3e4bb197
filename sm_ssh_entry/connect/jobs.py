"""What SageMaker says about the job or endpoint behind a name. Asked while a node is missing, never on the way in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
    argument: str
    status: str
    detail: str = ""


_CALLS: Mapping[str, _Call] = {
    "training": _Call("training job", "DescribeTrainingJob", "TrainingJobName", "TrainingJobStatus", "SecondaryStatus"),
    "processing": _Call("processing job", "DescribeProcessingJob", "ProcessingJobName", "ProcessingJobStatus"),
    "transform": _Call("transform job", "DescribeTransformJob", "TransformJobName", "TransformJobStatus"),
    "inference": _Call("endpoint", "DescribeEndpoint", "EndpointName", "EndpointStatus"),
    "notebook": _Call(
        "notebook instance", "DescribeNotebookInstance", "NotebookInstanceName", "NotebookInstanceStatus"
    ),
    "hyperpod": _Call("HyperPod cluster", "DescribeCluster", "ClusterName", "ClusterStatus"),
}

# What the name of an endpoint may be instead.
_COMPONENT = _Call(
    "inference component", "DescribeInferenceComponent", "InferenceComponentName", "InferenceComponentStatus"
)


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
    answer = answer_about(sagemaker, target)
    if answer is None and target.kind == "inference" and not target.node:
        call = _COMPONENT
        answer = called(sagemaker, call.operation, **{call.argument: target.resource})
    if answer is None:
        return None
    reason = " ".join(str(answer.get("FailureReason") or answer.get("ExitMessage") or "").split())
    return Job(call.noun, target.resource, str(answer.get(call.status, "")), str(answer.get(call.detail, "")), reason)


def answer_about(sagemaker: Any, target: Target) -> Mapping[str, Any] | None:
    """Return all that SageMaker says about a name; None where it knows none such.

    Args:
        sagemaker: client.
        target: a name whose kind is ``describable``.
    """
    call = _CALLS[target.kind]
    return called(sagemaker, call.operation, **{call.argument: target.resource})


def called(sagemaker: Any, operation: str, **arguments: Any) -> Mapping[str, Any] | None:
    """Call SageMaker; None where it does not know what is named.

    Args:
        sagemaker: client.
        operation: AWS's name of it, ``DescribeModel``.
        arguments: of the operation.

    Raises:
        AccessDenied: the caller may not ask.
    """
    method = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()
    try:
        with aws.errors_of(action=f"sagemaker:{operation}"):
            answer: Mapping[str, Any] = getattr(sagemaker, method)(**arguments)
    except ServiceError as error:
        if error.code in _UNKNOWN:
            return None
        raise
    return answer


def paged(sagemaker: Any, operation: str, result: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
    """Page through a List operation.

    Args:
        sagemaker: client.
        operation: AWS's name of it, ``ListSpaces``.
        result: the member of the answer that holds the list.
        arguments: of the operation.
    """
    token: dict[str, str] = {}
    while True:
        page = called(sagemaker, operation, **arguments, **token) or {}
        yield from page.get(result, ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def node_count(answer: Mapping[str, Any]) -> int:
    """Return how many nodes a described training or processing job has; 0: the answer does not say."""
    resources = answer.get("ResourceConfig") or answer.get("ProcessingResources", {}).get("ClusterConfig") or {}
    groups = resources.get("InstanceGroups") or ()
    return int(sum(int(group.get("InstanceCount", 0)) for group in groups) or resources.get("InstanceCount") or 0)


def has_ended(answer: Mapping[str, Any]) -> bool:
    """Whether a described job, endpoint or cluster has ended."""
    return any(answer.get(call.status) in _ENDED for call in _CALLS.values())
