"""What an endpoint's configuration asks for: its production variants, each with the containers of its model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane.execution import model_data
from sm_ssh_entry.plane.execution.work import Failed
from sm_ssh_entry.plane.serving import START_SECONDS

PORT = 8080
# A pipeline's containers share a machine, and so its ports; a listener of their own belongs into this range.
_SAFE_PORTS = "20000-20999"


@dataclass(frozen=True)
class Served:
    """One container of a variant's instances.

    Args:
        label: what messages and TargetContainerHostname call it.
        definition: ContainerDefinition of CreateModel.
        port: where it listens.
    """

    label: str
    definition: Mapping[str, Any]
    port: int = PORT

    @property
    def image(self) -> str:
        """Its image."""
        return str(self.definition.get("Image") or "")

    @property
    def multi_model(self) -> bool:
        """Whether it has many models."""
        return model_data.is_multi_model(self.definition)


@dataclass(frozen=True)
class Variant:
    """A production variant.

    Args:
        name: its name.
        count: how many instances.
        weight: its share of the invocations.
        containers: of each instance; ``()``: inference components are to be placed on it.
        mode: ``Single``, ``Serial`` or ``Direct``: who of several containers is invoked.
        ping_seconds: how long an instance has until it answers pings.
        isolated: EnableNetworkIsolation.
        serverless: its ServerlessConfig; empty: it has instances.
        role: ARN of its model's role.
    """

    name: str
    count: int
    weight: float
    containers: tuple[Served, ...]
    mode: str = "Single"
    ping_seconds: float = START_SECONDS
    isolated: bool = False
    serverless: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    role: str = ""

    def environment(self, one: Served) -> dict[str, str]:
        """Return what the service adds to the environment of a container's request.

        Args:
            one: the container.
        """
        found = {"SAGEMAKER_MULTI_MODEL": "true"} if one.multi_model else {}
        if len(self.containers) > 1:
            found |= {"SAGEMAKER_BIND_TO_PORT": str(one.port), "SAGEMAKER_SAFE_PORT_RANGE": _SAFE_PORTS}
        return found


def read(sagemaker: Any, config: str) -> list[Variant]:
    """Return the variants of a configuration, with what their models say now.

    Args:
        sagemaker: client of the plane's SageMaker.
        config: name of the configuration.

    Raises:
        Failed: the configuration or a model is gone, or has what cannot run here.
    """
    try:
        described = sagemaker.describe_endpoint_config(EndpointConfigName=config)
        variants = described["ProductionVariants"]
        models = {
            name: sagemaker.describe_model(ModelName=name)
            for name in {one["ModelName"] for one in variants if one.get("ModelName")}
        }
    except sagemaker.exceptions.ClientError as error:
        raise Failed(str(error.response["Error"]["Message"])) from error
    return [_variant(one, models.get(one.get("ModelName", ""))) for one in variants]


def _variant(one: Mapping[str, Any], model: Mapping[str, Any] | None) -> Variant:
    serverless = one.get("ServerlessConfig") or {}
    several = () if model is None else tuple(model.get("Containers") or ())
    single = None if model is None else model.get("PrimaryContainer")
    mode = "Single"
    if len(several) > 1:
        mode = str(((model or {}).get("InferenceExecutionConfig") or {}).get("Mode") or "Serial")
    return Variant(
        name=one["VariantName"],
        count=1 if serverless else int(one.get("InitialInstanceCount") or 1),
        weight=float(one.get("InitialVariantWeight", 1.0)),
        containers=_containers(several or ((single,) if single else ())),
        mode=mode,
        ping_seconds=float(one.get("ContainerStartupHealthCheckTimeoutInSeconds") or START_SECONDS),
        isolated=bool((model or {}).get("EnableNetworkIsolation")),
        serverless=serverless,
        role=str((model or {}).get("ExecutionRoleArn") or ""),
    )


def _containers(definitions: Sequence[Mapping[str, Any]]) -> tuple[Served, ...]:
    for one in definitions:
        if not one.get("Image"):
            raise Failed("A model package has no image here: name the container's Image in CreateModel.")
    if len(definitions) == 1:
        return (Served("primary", definitions[0]),)
    return tuple(
        Served(str(one.get("ContainerHostname") or f"container-{number}"), one, PORT + number)
        for number, one in enumerate(definitions, 1)
    )
