"""Models, builders and transformers: all that serves. None can name an entrypoint: the image's own must be ours."""

from __future__ import annotations

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
    # The method of that name asks the service for some models.
    isolated = getattr(target, "_enable_network_isolation", None)
    return Container.of("inference", target, "env", role=target.role, isolated=isolated)


def _deployed(target: Any) -> str:
    return f"endpoint {target.endpoint_name}" if target.endpoint_name else ""


def builder(target: Any) -> Submission:
    """Model builders of both SDKs, which create the model in ``build``: one, or one for each of a list of builders."""
    built = getattr(target, "built_model", None)
    endpoint = getattr(target, "endpoint_name", None) or ""
    names = (endpoint,) if built is not None and endpoint else ()
    several = getattr(target, "modelbuilder_list", None) or []
    containers = tuple(
        _of_builder(each)._replace(rank=rank, where=f"builder {rank + 1}") for rank, each in enumerate(several)
    )
    submitted = "" if built is None else f"build() has made {get(built, 'ModelName') or 'a model'}"
    return Submission("inference", containers or (_of_builder(target),), names, submitted, target.sagemaker_session)


def _of_builder(target: Any) -> Container:
    isolated = getattr(target, "_enable_network_isolation", None)
    return Container.of("inference", target, "env_vars", role=target.role_arn, isolated=isolated)


def transformer(target: Any) -> Submission:
    """Transformers of both SDKs. Their variables are the container's, beside those of the model."""
    job = target.latest_transform_job
    name = get(job, "TransformJobName") or getattr(job, "job_name", "") or ""
    container = Container.of("transform", target, "env")
    return Submission("transform", (container,), (name,) if name else (), name, target.sagemaker_session)
