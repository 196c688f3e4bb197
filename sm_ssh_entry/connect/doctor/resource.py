"""The job, endpoint or notebook instance behind a name: is it there, does it run, and was it set up for SSH?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import places
from sm_ssh_entry.connect.doctor.case import Case, Resource
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import ServiceError, SmSshError

_RUNNING = {"InProgress", "InService", "Updating", "SystemUpdating", "Creating", "Pending"}
# Of a name that does not exist SageMaker says one or the other.
_UNKNOWN = {"ValidationException", "ResourceNotFound", "ResourceNotFoundException", "RecordNotFound"}
_NATIVE = "SageMaker's own way does not ask for it"
_RESUBMIT = "submit it again with {} in its environment: the one that runs cannot be changed"


def exists(case: Case) -> Finding:
    """Is there such a job?"""
    target = _target(case)
    if target.node_id:
        return unchecked("a managed node's id does not say which job it belongs to")
    describe = _DESCRIBE.get(target.kind)
    if describe is None:
        return unchecked(f"a {target.kind} resource cannot be described by this name alone")
    try:
        with aws.errors_of(action="sagemaker:Describe…", region=case.region):
            case.resource = describe(case.client("sagemaker"), target)
    except ServiceError as error:
        if error.code not in _UNKNOWN:
            raise
        return _by_another_name(case, target)
    return ok(f"{case.resource.noun} {case.resource.name}")


def _by_another_name(case: Case, target: Target) -> Finding:
    """Judge a name that SageMaker does not know: it may stand for another, as a tuning job does for its children."""
    try:
        place = places.find(case.access, target, case.reach)
    except SmSshError as missing:
        return bad(missing.message, missing.hint)
    return unchecked(f"SageMaker knows no {target.kind} resource of that name, and {place.node.host} is there")


def running(case: Case) -> Finding:
    """Does it run?"""
    if case.resource is None:
        return unchecked("its state is not known")
    if not case.resource.running:
        why = f": {case.resource.reason}" if case.resource.reason else ""
        return bad(f"it is {case.resource.state}{why}", "submit it again; its container is gone")
    return ok(case.resource.state)


def switched_on(case: Case) -> Finding:
    """Is SSH switched on in its environment?"""
    environment = _environment(case)
    if case.native:
        return unchecked(_NATIVE)
    if environment is None:
        return unchecked("SageMaker does not tell its environment")
    value = environment.get(contract.START_SSH, "")
    if value != "true":
        said = f"{contract.START_SSH} is {value!r}, not 'true'" if value else f"{contract.START_SSH} is not set"
        return bad(f"{said} in its environment: SSH is off", _RESUBMIT.format(f"{contract.START_SSH}=true"))
    return ok(f"{contract.START_SSH}=true")


def isolation(case: Case) -> Finding:
    """Is network isolation off? Under it a container has no network and no credentials."""
    if case.resource is None:
        return unchecked("its settings are not known")
    if case.resource.isolated:
        return bad(
            "network isolation is on: no container under it can be reached",
            "submit it again with EnableNetworkIsolation=False (enable_network_isolation=False in the SDK)",
        )
    return ok("off")


def owner(case: Case) -> Finding:
    """Does its SSH_OWNER_TAG name the caller?"""
    environment = _environment(case)
    if case.native:
        return unchecked(_NATIVE)
    if environment is None:
        return unchecked("SageMaker does not tell its environment")
    value, me = environment.get(contract.SSH_OWNER_TAG, ""), case.known_identity().user_id
    if not value:
        return unchecked(f"{contract.SSH_OWNER_TAG} is not set: a policy by owner lets nobody in, others may")
    if value != me:
        return bad(
            f"{contract.SSH_OWNER_TAG} is {value}, and you are {me}",
            _RESUBMIT.format(f"{contract.SSH_OWNER_TAG}={me}") + ", or ask its owner",
        )
    return ok(value)


def _target(case: Case) -> Target:
    assert case.target is not None  # noqa: S101 - checks of a resource are made for a name only
    return case.target


def _environment(case: Case) -> dict[str, str] | None:
    return case.resource.environment if case.resource else None


def _of(answer: Mapping[str, Any], noun: str, name: str, status: str, detail: str = "") -> dict[str, Any]:
    state = str(answer.get(status, ""))
    more = str(answer.get(detail) or "") if detail else ""
    return {
        "noun": noun,
        "name": name,
        "state": f"{state}, {more}" if more and more != state else state,
        "running": state in _RUNNING,
        "reason": " ".join(str(answer.get("FailureReason") or answer.get("ExitMessage") or "").split()),
    }


def _network(vpc: Mapping[str, Any] | None) -> dict[str, Any]:
    vpc = vpc or {}
    return {"subnets": tuple(vpc.get("Subnets", ())), "groups": tuple(vpc.get("SecurityGroupIds", ()))}


def _training(sagemaker: Any, target: Target) -> Resource:
    answer = sagemaker.describe_training_job(TrainingJobName=target.resource)
    return Resource(
        **_of(answer, "training job", target.resource, "TrainingJobStatus", "SecondaryStatus"),
        **_network(answer.get("VpcConfig")),
        environment=dict(answer.get("Environment", {})),
        role=str(answer.get("RoleArn", "")),
        isolated=bool(answer.get("EnableNetworkIsolation")),
    )


def _processing(sagemaker: Any, target: Target) -> Resource:
    answer = sagemaker.describe_processing_job(ProcessingJobName=target.resource)
    network = answer.get("NetworkConfig") or {}
    return Resource(
        **_of(answer, "processing job", target.resource, "ProcessingJobStatus"),
        **_network(network.get("VpcConfig")),
        environment=dict(answer.get("Environment", {})),
        role=str(answer.get("RoleArn", "")),
        isolated=bool(network.get("EnableNetworkIsolation")),
    )


def _model(sagemaker: Any, name: str) -> dict[str, Any]:
    """Return what a model says of its container (of an inference pipeline: the first); nothing of one that is gone."""
    try:
        with aws.errors_of(action="sagemaker:DescribeModel"):
            answer = sagemaker.describe_model(ModelName=name)
    except ServiceError as error:
        if error.code not in _UNKNOWN:
            raise
        return {}
    container: Mapping[str, Any] = answer.get("PrimaryContainer") or next(iter(answer.get("Containers", ())), {})
    return {
        **_network(answer.get("VpcConfig")),
        "environment": dict(container.get("Environment", {})),
        "role": str(answer.get("ExecutionRoleArn", "")),
        "isolated": bool(answer.get("EnableNetworkIsolation")),
    }


def _transform(sagemaker: Any, target: Target) -> Resource:
    answer = sagemaker.describe_transform_job(TransformJobName=target.resource)
    model = _model(sagemaker, str(answer["ModelName"]))
    model["environment"] = {**model.get("environment", {}), **answer.get("Environment", {})}
    return Resource(**_of(answer, "transform job", target.resource, "TransformJobStatus"), **model)


def _endpoint(sagemaker: Any, target: Target) -> Resource:
    answer = sagemaker.describe_endpoint(EndpointName=target.resource)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=answer["EndpointConfigName"])
    variants = config["ProductionVariants"]
    variant = next((one for one in variants if one.get("VariantName") == target.node), variants[0])
    # An endpoint of inference components names no model: their role and isolation stand in its configuration.
    model = (
        _model(sagemaker, str(variant["ModelName"]))
        if variant.get("ModelName")
        else {
            **_network(config.get("VpcConfig")),
            "role": str(config.get("ExecutionRoleArn", "")),
            "isolated": bool(config.get("EnableNetworkIsolation")),
        }
    )
    return Resource(**_of(answer, "endpoint", target.resource, "EndpointStatus"), **model)


def _notebook(sagemaker: Any, target: Target) -> Resource:
    answer = sagemaker.describe_notebook_instance(NotebookInstanceName=target.resource)
    subnet = answer.get("SubnetId")
    return Resource(
        **_of(answer, "notebook instance", target.resource, "NotebookInstanceStatus"),
        role=str(answer.get("RoleArn", "")),
        # With direct internet access it has a network of its own beside the VPC's.
        subnets=(str(subnet),) if subnet and answer.get("DirectInternetAccess") == "Disabled" else (),
        groups=tuple(answer.get("SecurityGroups", ())),
    )


_DESCRIBE: dict[str, Callable[[Any, Target], Resource]] = {
    "training": _training,
    "processing": _processing,
    "transform": _transform,
    "inference": _endpoint,
    "notebook": _notebook,
}
