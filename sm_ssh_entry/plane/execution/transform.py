"""A batch transform job: its model's container on each instance, the input's objects through it, the answers to S3."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
from collections.abc import Mapping
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane import running
from sm_ssh_entry.plane.execution import model_data, reasons, record_joining, sources
from sm_ssh_entry.plane.execution.order import STOP
from sm_ssh_entry.plane.execution.transforming import Settings, Transforming
from sm_ssh_entry.plane.execution.work import Failed, Work
from sm_ssh_entry.plane.jobs import Job
from sm_ssh_entry.plane.local_job import Place
from sm_ssh_entry.plane.log_shipping import Shipper

# What the service sets of the request, where the request has it (contract page, section 1.5).
_TOLD = {
    "MaxPayloadInMB": "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    "BatchStrategy": "SAGEMAKER_BATCH_STRATEGY",
    "MaxConcurrentTransforms": "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
}
_STRATEGIES = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
_PORT = "SAGEMAKER_BIND_TO_PORT"


def run(work: Work) -> None:
    """Run a transform job to its end.

    Args:
        work: its order.

    Raises:
        Failed: it failed before its containers ran.
        Stopped: it was stopped before they did.
    """
    request = work.order.request
    model, definition = _model(work)
    settings = _settings(request)
    given = request["TransformInput"]["DataSource"]["S3DataSource"]
    if given["S3DataType"] not in (sources.PREFIX, sources.MANIFEST):
        raise Failed(f"ClientError: the local plane reads no S3DataType {given['S3DataType']} in batch transform")
    found = sources.listed(work.s3, given["S3Uri"], given["S3DataType"])
    box = None
    if work.in_containers():
        box = work.box(definition["Image"], isolated=bool(model.get("EnableNetworkIsolation")))
    job = _job(work, definition)
    port = "" if box else _own_port(job)
    if port:
        job = dataclasses.replace(job, environment={**job.environment, _PORT: port})
    place = _placed(work, job, definition)
    # The request names no role: the containers have the model's.
    place = dataclasses.replace(place, role=work.role_keys(model.get("ExecutionRoleArn", "")))
    work.check()
    work.note(work.status, secondary="Running")
    with Shipper(place.state) as shipper, Transforming(work, place, settings, found, shipper) as transforming:
        if port:
            transforming.begin({place.job.node_names[0]: f"127.0.0.1:{port}"})
        end = work.run(place, box, transforming.begin)
    _close(work, transforming, end)


def _model(work: Work) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the model and the definition of its one container."""
    name = work.order.request["ModelName"]
    try:
        with aws.errors_of(action=f"read model {name}"):
            model = work.client("sagemaker").describe_model(ModelName=name)
    except SmSshError as error:
        raise Failed(f"ClientError: {error.message}") from error
    definitions = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else list(model.get("Containers") or ())
    if len(definitions) != 1:
        raise Failed(
            f"ClientError: model {name} has {len(definitions)} containers; the local plane transforms with one"
        )
    definition = definitions[0]
    if model_data.is_multi_model(definition):
        raise Failed(f"ClientError: model {name} is a multi-model one, which batch transform does not take")
    if not definition.get("Image"):
        raise Failed(f"ClientError: model {name} names no Image")
    return model, definition


def _settings(request: Mapping[str, Any]) -> Settings:
    given, made = request["TransformInput"], request["TransformOutput"]
    client = request.get("ModelClientConfig") or {}
    content_type, accept = given.get("ContentType", ""), made.get("Accept", "")
    try:
        joining = record_joining.of_request(
            request.get("DataProcessing") or {}, content_type=content_type, accept=accept
        )
    except record_joining.CannotJoin as error:
        raise Failed(f"ClientError: {error}") from error
    return Settings(
        split=given.get("SplitType", "None"),
        gzip=given.get("CompressionType", "None") == "Gzip",
        lines=made.get("AssembleWith", "None") == "Line",
        target=made["S3OutputPath"],
        headers={name: value for name, value in (("Content-Type", content_type), ("Accept", accept)) if value},
        joining=joining,
        seconds=client.get("InvocationsTimeoutInSeconds", 600),
        retries=client.get("InvocationsMaxRetries", 3),
        requested={name: request[name] for name in _TOLD if name in request},
    )


def _job(work: Work, definition: Mapping[str, Any]) -> Job:
    request = work.order.request
    told = {
        variable: _STRATEGIES.get(request[member], str(request[member]))
        for member, variable in _TOLD.items()
        if member in request
    }
    return Job(
        name=work.order.name,
        argv=("serve",),
        folder=work.folder(),
        kind="transform",
        nodes=request["TransformResources"].get("InstanceCount", 1),
        environment=(definition.get("Environment") or {}) | (request.get("Environment") or {}) | told,
        submitted=True,
    )


def _own_port(job: Job) -> str:
    """Return a port for a job's only process: without an engine all of them share this machine's.

    Raises:
        Failed: there is no program, or there is more than one instance.
    """
    if job.nodes > 1:
        raise Failed(
            "ClientError: without a container engine a transform job has one instance: they would share a port"
        )
    if shutil.which("serve", path=os.environ.get("PATH")) is None:
        raise Failed("ClientError: without a container engine a transform job runs serve, and PATH has no such program")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def _placed(work: Work, job: Job, definition: Mapping[str, Any]) -> Place:
    """Give the job its folder, with its model's data in it, which every instance reads."""
    place = work.place(job)
    made = model_data.fetch(work.s3, definition, place.job.folder / "artifacts")
    others = [(folder, f"/opt/ml/{name}", True) for name, folder in made.items() if name != "model"]
    filled = dataclasses.replace(
        place.job, channels={"model": made["model"]}, mounts=dict.fromkeys(job.node_names, others)
    )
    return dataclasses.replace(place, job=filled)


def _close(work: Work, transforming: Transforming, end: running.End) -> None:
    if work.stopping == STOP:
        work.note("Stopped")
    elif transforming.problem:
        work.note("Failed", failure=transforming.problem)
    elif transforming.finished:
        work.note("Completed")
    elif end.out_of_memory:
        work.note("Failed", failure=reasons.OUT_OF_MEMORY)
    else:
        # A container that ends by itself ends the job.
        work.note("Failed", failure="AlgorithmError: See job logs for more information")
