"""Plain requests: where a container's variables, entrypoint, role and network isolation stand in each of them.

Members are named as boto3 names them; requests written for ``sagemaker.core.resources`` are read as well.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.members import get, put
from sm_ssh_entry.sdk.state import TUNING, Container, Submission

Reader = Callable[[Any, str], list[Container]]

_HINT = (
    "requests of CreateTrainingJob, CreateHyperParameterTuningJob, CreateProcessingJob, CreateTransformJob, "
    "CreateModel, CreateInferenceComponent and CreatePipeline can have it, and pipeline definitions"
)


def copied(request: dict[Any, Any]) -> dict[Any, Any]:
    """Return a deep copy of a request; boto3's session, which ``sagemaker.core`` takes among them, cannot be copied."""
    return {name: value if name == "session" else copy.deepcopy(value) for name, value in request.items()}


def submission(request: dict[Any, Any]) -> Submission:
    """Return what a request consists of; ``assign`` and ``replace`` change this very request.

    Args:
        request: of one of the operations.

    Raises:
        BadInput: it is another's, or one without a container that could be reached.
    """
    operation = next((name for mark, name in _MARKS if get(request, mark) is not None), "")
    if not operation:
        what = "an endpoint's configuration" if get(request, "ProductionVariants") is not None else "this request"
        hint = "give the request of CreateModel: a model's variables are the endpoint's" if what[0] == "a" else _HINT
        raise BadInput(f"{what} cannot have SSH", hint=hint)
    kind, name, read = OPERATIONS[operation]
    named = get(request, name)
    containers = read(request, f"{operation} {named}" if isinstance(named, str) else operation)
    if not containers:
        raise BadInput(f"{operation}: there is no container in it")
    known = (named,) if isinstance(named, str) and kind != "inference" else ()
    return Submission(kind, tuple(containers), names=known, session=request.get("session"))


def _training(request: Any, where: str) -> list[Container]:
    if get(request, "ServerlessJobConfig") is not None:
        raise BadInput(f"{where}: it is serverless, and has no container that could be reached")
    container = _definition("training", request, where)
    specification = get(request, "AlgorithmSpecification")
    return [
        container._replace(
            entrypoint=get(specification, "ContainerEntrypoint"),
            replace=partial(put, specification, "ContainerEntrypoint"),
        )
    ]


def _tuning(request: Any, where: str) -> list[Container]:
    # The API has no entrypoint here (contract page, 1.1): the image's own must be ours.
    several = get(request, "TrainingJobDefinitions") or []
    one = get(request, "TrainingJobDefinition")
    definitions = [*([one] if one is not None else []), *several]
    return [
        _definition(TUNING, each, f"{where}, {get(each, 'DefinitionName')}" if several else where)
        for each in definitions
    ]


def _definition(kind: str, holder: Any, where: str) -> Container:
    return Container(
        kind,
        where,
        get(holder, "Environment") or {},
        partial(put, holder, "Environment"),
        role=get(holder, "RoleArn"),
        isolated=get(holder, "EnableNetworkIsolation") is True,
    )


def _processing(request: Any, where: str) -> list[Container]:
    specification = get(request, "AppSpecification")
    container = _definition("processing", request, where)
    return [
        container._replace(
            entrypoint=get(specification, "ContainerEntrypoint"),
            replace=partial(put, specification, "ContainerEntrypoint"),
            isolated=get(get(request, "NetworkConfig"), "EnableNetworkIsolation") is True,
        )
    ]


def _transform(request: Any, where: str) -> list[Container]:
    return [_definition("transform", request, where)]


def _model(request: Any, where: str) -> list[Container]:
    several = get(request, "Containers") or []
    one = get(request, "PrimaryContainer")
    holders = [*([one] if one is not None else []), *several]
    shared = len(holders) > 1
    return [
        Container(
            "inference",
            f"{where}, container {rank + 1}" if shared else where,
            get(holder, "Environment") or {},
            partial(put, holder, "Environment"),
            role=get(request, "ExecutionRoleArn"),
            isolated=get(request, "EnableNetworkIsolation") is True,
            rank=rank if shared else None,
        )
        for rank, holder in enumerate(holders)
    ]


def _component(request: Any, where: str) -> list[Container]:
    holder = get(get(request, "Specification"), "Container")
    if holder is None:
        raise BadInput(
            f"{where}: it names a model and has no container of its own", hint="give the request of that CreateModel"
        )
    return [Container("inference", where, get(holder, "Environment") or {}, partial(put, holder, "Environment"))]


# Operation: kind, member that holds the name, reader.
OPERATIONS: dict[str, tuple[str, str, Reader]] = {
    "CreateTrainingJob": ("training", "TrainingJobName", _training),
    "CreateHyperParameterTuningJob": (TUNING, "HyperParameterTuningJobName", _tuning),
    "CreateProcessingJob": ("processing", "ProcessingJobName", _processing),
    "CreateTransformJob": ("transform", "TransformJobName", _transform),
    "CreateModel": ("inference", "ModelName", _model),
    "CreateInferenceComponent": ("inference", "InferenceComponentName", _component),
}
# Members that no other of these requests has.
_MARKS = (
    ("TrainingJobDefinition", "CreateHyperParameterTuningJob"),
    ("TrainingJobDefinitions", "CreateHyperParameterTuningJob"),
    ("AppSpecification", "CreateProcessingJob"),
    ("TransformInput", "CreateTransformJob"),
    ("PrimaryContainer", "CreateModel"),
    ("Containers", "CreateModel"),
    ("InferenceComponentName", "CreateInferenceComponent"),
    ("AlgorithmSpecification", "CreateTrainingJob"),
    ("ServerlessJobConfig", "CreateTrainingJob"),
)
