"""What SageMaker gives a container of each kind: files and variables by which it knows itself, a log, a way in.

Contract page, sections 1.4 to 1.6 and 3. Everything that differs between kinds stands here, for processes and
containers alike.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane import opt_ml
from sm_ssh_entry.plane.opt_ml import InstanceGroup

if TYPE_CHECKING:
    from sm_ssh_entry.plane.jobs import Job

ROLE = "service-role/sm-ssh-local"
# An endpoint's one variant, as the SDK names it.
VARIANT = "AllTraffic"
# Studio's own names: one app in a space, always of that name.
APP, APP_TYPE, DOMAIN = "default", "JupyterLab", "local"
# Kinds whose containers have a name in their job.
JOBS = ("training", "processing")
# Kinds that serve, by what the service says to an image.
SERVING = ("inference", "transform")
_GROUPS = {
    "training": "/aws/sagemaker/TrainingJobs",
    "processing": "/aws/sagemaker/ProcessingJobs",
    "transform": "/aws/sagemaker/TransformJobs",
    "studio": "/aws/sagemaker/studio",
    "notebook": "/aws/sagemaker/NotebookInstances",
}


@dataclass(frozen=True)
class Image:
    """What a container is made of, as far as its files tell.

    Args:
        name: the image.
        command: what replaces its entrypoint, with arguments; ``()``: nothing.
        multi_model: whether it serves many models.
    """

    name: str = "local"
    command: Sequence[str] = ()
    multi_model: bool = False


def checked(job: Job) -> Job:
    """Return a job that can be of its kind.

    Raises:
        BadInput: it has what its kind has not.
    """
    if job.nodes > 1 and job.kind in {"studio", "notebook"}:
        raise BadInput(f"--kind {job.kind} has one node")
    if job.hyperparameters and job.kind != "training":
        raise BadInput("hyperparameters are a training job's", hint="--env NAME=VALUE reaches every kind")
    if job.native and job.kind not in {"training", "inference", "studio"}:
        raise BadInput(f"SageMaker has no way of its own into {job.kind}", hint="leave --native away")
    return job


def new_instance() -> str:
    """Return an id as EC2 gives to a machine."""
    return f"i-{secrets.token_hex(9)[:17]}"


def lay_out(job: Job, node: str, ml: Path, *, arn: str, interface: str, image: Image) -> dict[str, Path]:
    """Make the tree that a container finds, and return where below it each channel's files belong.

    Args:
        job: the job.
        node: its node.
        ml: where /opt/ml is.
        arn: the job's ARN.
        interface: network interface that nodes reach each other over.
        image: what the container is made of.
    """
    if job.kind == "training":
        opt_ml.lay_out_training(
            ml,
            node=node,
            groups=job.groups or (InstanceGroup(opt_ml.INSTANCE_GROUP, opt_ml.INSTANCE_TYPE, job.node_names),),
            interface=interface,
            hyperparameters=job.hyperparameters,
            channels=job.channel_settings.get(node) or dict.fromkeys(job.channels, opt_ml.CHANNEL),
        )
    elif job.kind == "processing":
        request = _submitted_request(job, arn) if job.submitted else _processing_request(job, arn, image)
        opt_ml.lay_out_processing(ml, node=node, nodes=job.node_names, request=request)
    elif job.kind in SERVING:
        opt_ml.lay_out_serving(ml, multi_model=image.multi_model)
    else:
        opt_ml.lay_out_metadata(ml, _metadata(job, arn))
    return {name: ml / opt_ml.mount_point(job.kind, name, multi_model=image.multi_model) for name in job.channels}


def variables(job: Job, arn: str) -> dict[str, str]:
    """Return the variables that SageMaker sets in a container of this kind.

    Args:
        job: the job.
        arn: its ARN.
    """
    if job.kind == "training":
        return {"TRAINING_JOB_NAME": job.name, "TRAINING_JOB_ARN": arn}
    if job.kind == "transform":
        return {"TRANSFORM_JOB_ARN": arn, "SAGEMAKER_BATCH": "true"}
    if job.kind == "studio":
        return {"SAGEMAKER_SPACE_NAME": job.name, "SAGEMAKER_APP_TYPE": APP_TYPE}
    return {}


def requested(job: Job) -> dict[str, str]:
    """Return the environment that the job's request names, and Describe tells.

    Args:
        job: the job.
    """
    on = {} if job.submitted else {contract.START_SSH: "true", contract.SSH_SSM_ROLE: ROLE}
    return {**on, **job.environment}


def with_session(job: Job) -> Job:
    """Return the job, an endpoint's with the id by which its container is found.

    Args:
        job: the job.
    """
    if job.kind != "inference":
        return job
    return replace(job, environment={contract.SSH_SESSION_ID: secrets.token_hex(8), **job.environment})


def host_name(job: Job, arn: str) -> str:
    """Return the name by which the laptop reaches it.

    Args:
        job: the job.
        arn: its ARN.
    """
    name = f"{APP}.{job.name}.{_domain(arn)}" if job.kind == "studio" else job.name
    return f"{name}.{job.kind}{contract.NAME_SUFFIX}"


def log_group(kind: str, name: str) -> str:
    """Return the CloudWatch Logs group of a resource's containers; ``""``: it has none.

    Args:
        kind: its kind.
        name: its name.
    """
    return f"/aws/sagemaker/Endpoints/{name}" if kind == "inference" else _GROUPS.get(kind, "")


def log_stream(job: Job, node: str, *, arn: str, instance: str, began: int) -> tuple[str, str]:
    """Return the CloudWatch Logs group and stream of a container's output.

    Args:
        job: the job.
        node: its node.
        arn: its ARN.
        instance: the id of its machine.
        began: epoch seconds.
    """
    if job.kind == "inference":
        return log_group(job.kind, job.name), f"{VARIANT}/{instance}"
    streams = {
        "transform": f"{job.name}/{instance}-{began}",
        "studio": f"{_domain(arn)}/{job.name}/{APP_TYPE}/{APP}",
        "notebook": f"{job.name}/jupyter.log",
    }
    return log_group(job.kind, job.name), streams.get(job.kind, f"{job.name}/{node}-{began}")


def target(job: Job, node: str, *, arn: str, instance: str) -> str:
    """Return what SageMaker's own way calls a container.

    Args:
        job: a job whose kind has such a way.
        node: its node.
        arn: its ARN.
        instance: the id of its machine.
    """
    if job.kind == "training":
        return f"sagemaker-training-job:{job.name}_{node}"
    if job.kind == "inference":
        return f"sagemaker-endpoint:{job.name}_{VARIANT}_{instance}"
    return f"{arn.rpartition(':')[0]}:space/{_domain(arn)}/{job.name}"


def _domain(arn: str) -> str:
    """Return the domain of an app's ARN."""
    return arn.rpartition(":")[2].split("/")[1]


def _metadata(job: Job, arn: str) -> dict[str, object]:
    if job.kind == "notebook":
        return {"ResourceArn": arn, "ResourceName": job.name}
    account = arn.split(":")[4]
    return {
        "AppType": APP_TYPE,
        "DomainId": _domain(arn),
        "SpaceName": job.name,
        "ExecutionRoleArn": f"arn:aws:iam::{account}:role/{ROLE}",
        "ResourceArn": arn,
        "ResourceName": APP,
        "AppImageVersion": "",
    }


def _submitted_request(job: Job, arn: str) -> Mapping[str, Any]:
    """Return the request as the service hands it on: members that it may have and has not are null."""
    request = {name: value for name, value in job.request.items() if name != "Tags"}
    optional = ("Environment", "ProcessingInputs", "ProcessingOutputConfig", "StoppingCondition")
    app = {"ContainerEntrypoint": None, "ContainerArguments": None, **request["AppSpecification"]}
    return {**dict.fromkeys(optional), **request, "ProcessingJobArn": arn, "AppSpecification": app}


def _processing_request(job: Job, arn: str, image: Image) -> Mapping[str, Any]:
    app: dict[str, object] = {"ImageUri": image.name, "ContainerEntrypoint": None, "ContainerArguments": None}
    if image.command:
        app |= {"ContainerEntrypoint": list(image.command)}
    points = {name: opt_ml.mount_point(job.kind, name) for name in job.channels}
    inputs = [
        {"InputName": name, "AppManaged": False, "S3Input": {"LocalPath": f"/opt/ml/{point}", "S3InputMode": "File"}}
        for name, point in points.items()
    ]
    return {
        "ProcessingJobArn": arn,
        "ProcessingJobName": job.name,
        "AppSpecification": app,
        "Environment": requested(job),
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {"Outputs": [], "KmsKeyId": None},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": job.nodes, "InstanceType": opt_ml.INSTANCE_TYPE, "VolumeSizeInGB": 1}
        },
        "RoleArn": f"arn:aws:iam::{arn.split(':')[4]}:role/{ROLE}",
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }
