"""What moto's SageMaker drops of a request and later answers need: kept on moto's records, which tell all they have.

moto answers Describe calls with every attribute of its record of a resource. So a member of a request that it does not
know (RemoteDebugConfig, a job's Environment) is given to the record once moto has made it.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timezone
from typing import Any

from sm_ssh_entry.plane.api import AwsError, Handler, NotOurs, Request
from sm_ssh_entry.plane.moto_tables import backends
from sm_ssh_entry.plane.store import Store, partition_of

# Statuses of a job or endpoint that can still change.
_RUNNING = frozenset({"InProgress", "Stopping"})
# UpdateTrainingJob takes RemoteDebugConfig in these only (contract page, section 3).
_UPDATABLE = frozenset({"Downloading", "Training"})
_MOTO_SPELLING = {"MaxPayloadInMB": "max_payload_in_mb", "VolumeSizeInGB": "volume_size_in_gb"}


@dataclass(frozen=True)
class _Kind:
    """One Create operation: moto's method and table, the member with the name, and the word for it in ARNs."""

    method: str
    table: str
    member: str
    word: str


_KINDS: Mapping[str, _Kind] = {
    "CreateTrainingJob": _Kind("create_training_job", "training_jobs", "TrainingJobName", "training-job"),
    "CreateProcessingJob": _Kind("create_processing_job", "processing_jobs", "ProcessingJobName", "processing-job"),
    "CreateTransformJob": _Kind("create_transform_job", "transform_jobs", "TransformJobName", "transform-job"),
    "CreateModel": _Kind("create_model", "_models", "ModelName", "model"),
    "CreateEndpointConfig": _Kind(
        "create_endpoint_config", "endpoint_configs", "EndpointConfigName", "endpoint-config"
    ),
    "CreateCluster": _Kind("create_cluster", "clusters", "ClusterName", "cluster"),
}


def backend(store: Store, region: str) -> Any:
    """Return moto's SageMaker of a region; importing it takes half a second, so call this in a thread.

    Args:
        store: the plane's state.
        region: the region.
    """
    return backends("sagemaker")[store.account][region]


def models(there: Any) -> dict[str, Any]:
    """Return moto's models by name.

    Args:
        there: what ``backend`` gave.
    """
    found: dict[str, Any] = there._models  # noqa: SLF001 - moto has no other way to ask whether there is one
    return found


def call(method: Callable[..., Any], request: Mapping[str, Any]) -> set[str]:
    """Call one of moto's methods with members of a request, absent ones as None; return the words that it takes.

    Args:
        method: of ``backend``.
        request: AWS's members; those that the method does not take are left out.

    Raises:
        AwsError: what moto refuses.
    """
    words = set(inspect.signature(method).parameters)
    given = {word(member): value for member, value in request.items()}
    try:
        method(**{word: given.get(word) for word in words})
    except Exception as error:
        raise refusal(error) from error
    return words


def arn(store: Store, region: str, resource: str) -> str:
    """Return a SageMaker ARN.

    Args:
        store: the plane's state.
        region: its region.
        resource: what stands at its end, ``training-job/name``.
    """
    return f"arn:{partition_of(region)}:sagemaker:{region}:{store.account}:{resource}"


def create(store: Store, region: str, operation: str, params: Mapping[str, Any]) -> Any:
    """Make moto's record of a resource with all that the request says, and return it.

    Args:
        store: the plane's state.
        region: its region.
        operation: ``CreateTrainingJob`` for one.
        params: the request.

    Raises:
        AwsError: ResourceInUse; ValidationException, for a model that there is not.
    """
    kind, there = _KINDS[operation], backend(store, region)
    name = str(params[kind.member])
    table = getattr(there, kind.table)
    known = table.get(name)
    if known is not None and not _replaceable(known):
        raise AwsError("ResourceInUse", f"{arn(store, region, f'{kind.word}/{name}')} already exists.")
    request = dict(params)
    if operation == "CreateTrainingJob":
        # moto puts a metric of its own into what it is given.
        request["AlgorithmSpecification"] = dict(params["AlgorithmSpecification"])
    elif operation == "CreateEndpointConfig":
        _require_models(store, region, params)
        # moto wants a model in each variant; one for inference components has none.
        request["ProductionVariants"] = [one for one in params["ProductionVariants"] if "ModelName" in one]
    elif operation == "CreateCluster":
        request["InstanceGroups"] = [{"ThreadsPerCore": 1, **one} for one in params["InstanceGroups"]]
    taken = call(getattr(there, kind.method), request)
    made = table[name]
    if operation == "CreateTrainingJob":
        made.algorithm_specification = params["AlgorithmSpecification"]
        # As the service answers: SDK v2 reads it of every job that it attaches to.
        made.output_data_config = {"KmsKeyId": "", **params["OutputDataConfig"]}
    elif operation == "CreateModel":
        # moto answers an empty one where there is none, which SDK v3 cannot read.
        made.vpc_config = params.get("VpcConfig")
    elif operation == "CreateEndpointConfig":
        made.production_variants = params["ProductionVariants"]
    elif operation == "CreateCluster":
        _give_instances_ids(made)
    for member, value in params.items():
        if word(member) not in taken:
            setattr(made, word(member), value)
    return made


def creating(operation: str) -> Handler:
    """Return the handler of a Create operation.

    Args:
        operation: its name.
    """
    kind = _KINDS[operation]
    answer = f"{operation.removeprefix('Create')}Arn"

    async def handle(store: Store, request: Request) -> dict[str, Any]:
        await asyncio.to_thread(create, store, request.region, operation, request.params)
        return {answer: arn(store, request.region, f"{kind.word}/{request.params[kind.member]}")}

    return handle


async def describe_endpoint_config(store: Store, request: Request) -> dict[str, Any]:
    """Describe an endpoint configuration without the empty members that moto puts in: SDK v3 cannot read those.

    Raises:
        NotOurs: there is none, which moto says.
    """

    def describe() -> dict[str, Any] | None:
        found = backend(store, request.region).endpoint_configs.get(request.params["EndpointConfigName"])
        if found is None:
            return None
        made = found.creation_time.replace(tzinfo=timezone.utc).timestamp()
        told = {member: value for member, value in found.response_object.items() if value != {}}
        return {**told, "CreationTime": made}

    answer = await asyncio.to_thread(describe)
    if answer is None:
        raise NotOurs
    return answer


async def update_training_job(store: Store, request: Request) -> dict[str, Any]:
    """Change RemoteDebugConfig and the rest of what a running training job may be told.

    Raises:
        AwsError: ResourceNotFound; ValidationException, where the job is not downloading or training.
    """
    name = request.params["TrainingJobName"]

    def update() -> None:
        job = backend(store, request.region).training_jobs.get(name)
        if job is None:
            raise AwsError(
                "ResourceNotFound", f"Could not find training job '{_job_arn(store, request.region, name)}'."
            )
        if "RemoteDebugConfig" in request.params and job.secondary_status not in _UPDATABLE:
            raise AwsError(
                "ValidationException",
                f"RemoteDebugConfig can be updated while the SecondaryStatus is Downloading or Training; "
                f"it is {job.secondary_status}.",
            )
        for member, value in request.params.items():
            if member not in ("TrainingJobName", "ResourceConfig"):
                setattr(job, word(member), value)

    await asyncio.to_thread(update)
    return {"TrainingJobArn": _job_arn(store, request.region, name)}


def _job_arn(store: Store, region: str, name: str) -> str:
    return arn(store, region, f"training-job/{name}")


def _replaceable(known: Any) -> bool:
    """Whether a resource of the same name may take its place: an ended job of this plane's own."""
    return getattr(known, "local", False) and not is_running(known)


def is_running(job: Any) -> bool:
    """Whether moto's record of a job is that of one that has not ended.

    Args:
        job: the record.
    """
    statuses = ("training_job_status", "processing_job_status", "transform_job_status")
    return any(getattr(job, name, "") in _RUNNING for name in statuses)


def word(member: str) -> str:
    """Return moto's attribute for a request's member: ``RemoteDebugConfig`` -> ``remote_debug_config``."""
    return _MOTO_SPELLING.get(member) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", member).lower()


def require_model(store: Store, region: str, name: str) -> None:
    """Make sure that there is a model.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.

    Raises:
        AwsError: ValidationException, where there is none.
    """
    if name not in models(backend(store, region)):
        raise AwsError("ValidationException", f'Could not find model "{arn(store, region, f"model/{name}")}".')


def _require_models(store: Store, region: str, params: Mapping[str, Any]) -> None:
    for variant in [*params["ProductionVariants"], *(params.get("ShadowProductionVariants") or ())]:
        name = variant.get("ModelName")
        if name is not None:
            require_model(store, region, name)


def _give_instances_ids(cluster: Any) -> None:
    """Call instances as EC2 does: in moto their ids are group and number."""
    for node in list(cluster.nodes.values()):
        node.instance_id = f"i-{secrets.token_hex(9)[:17]}"
    cluster.nodes = {node.instance_id: node for node in cluster.nodes.values()}


def refusal(error: Exception) -> AwsError:
    """Return what moto refuses as ours; anything else was moto's own mistake and stays what it is.

    Args:
        error: what moto raised.
    """
    code = getattr(error, "error_type", "")
    if not code:
        raise error
    return AwsError("ValidationException" if code == "ValidationError" else code, str(getattr(error, "message", "")))


OPERATIONS: dict[str, Handler] = {
    **{operation: creating(operation) for operation in _KINDS},
    "DescribeEndpointConfig": describe_endpoint_config,
    "UpdateTrainingJob": update_training_job,
}
