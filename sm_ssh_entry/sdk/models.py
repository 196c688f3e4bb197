"""Models, builders and transformers: all that serves. None can name an entrypoint: the image's own must be ours."""

from __future__ import annotations

from functools import partial
from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.members import get
from sm_ssh_entry.sdk.state import Container, Submission


def model(target: Any) -> Submission:
    """Models of SDK v2, those of frameworks included."""
    names = (target.endpoint_name,) if target.endpoint_name else ()
    return Submission("inference", (_of_model(target),), names, _deployed(target), target.sagemaker_session)


def multi_model(target: Any) -> Submission:
    """Multi-model endpoints of SDK v2: with a model in it, the variables are the model's; without, its own."""
    names = (target.endpoint_name,) if target.endpoint_name else ()
    container = _of_model(target.model or target)
    return Submission("inference", (container,), names, _deployed(target), target.sagemaker_session)


def inference_pipeline(target: Any) -> Submission:
    """Inference pipelines of SDK v2: several containers on one instance."""
    names = (target.endpoint_name,) if target.endpoint_name else ()
    isolated = target.enable_network_isolation is True
    containers = tuple(
        _of_model(each)._replace(rank=rank, role=target.role, isolated=isolated, where=f"model {rank + 1}")
        for rank, each in enumerate(target.models)
    )
    if not containers:
        raise BadInput("the pipeline has no models")
    return Submission("inference", containers, names, _deployed(target), target.sagemaker_session)


def _of_model(target: Any) -> Container:
    return Container(
        "inference",
        type(target).__name__,
        target.env or {},
        partial(setattr, target, "env"),
        role=target.role,
        # The method of that name asks the service for some models.
        isolated=getattr(target, "_enable_network_isolation", None) is True,
    )


def _deployed(target: Any) -> str:
    return f"endpoint {target.endpoint_name}" if target.endpoint_name else ""


def builder(target: Any) -> Submission:
    """Model builders of both SDKs, which create the model in ``build``."""
    built = getattr(target, "built_model", None)
    endpoint = getattr(target, "endpoint_name", None) or ""
    names = (endpoint,) if built is not None and endpoint else ()
    container = Container(
        "inference",
        type(target).__name__,
        target.env_vars or {},
        partial(setattr, target, "env_vars"),
        role=target.role_arn,
        isolated=getattr(target, "_enable_network_isolation", False) is True,
    )
    submitted = "" if built is None else f"build() has made {get(built, 'ModelName') or 'a model'}"
    return Submission("inference", (container,), names, submitted, target.sagemaker_session)


def transformer(target: Any) -> Submission:
    """Transformers of both SDKs. Their variables are the container's, beside those of the model."""
    job = target.latest_transform_job
    name = get(job, "TransformJobName") or getattr(job, "job_name", "") or ""
    container = Container("transform", type(target).__name__, target.env or {}, partial(setattr, target, "env"))
    return Submission("transform", (container,), (name,) if name else (), name, target.sagemaker_session)
