"""Endpoints: from a name to the session ids of its containers, by what SageMaker knows and without a look into logs.

A container of an endpoint cannot know what its endpoint is called. Its model's environment holds SSH_SESSION_ID, which
the container has copied into its node's tags. So: endpoint -> its configuration -> models (or inference components) ->
their variables. One model may serve several variants and endpoints: then their containers carry the same id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import jobs, nodes
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import NotFound, NotRegistered

_LISTED = 5
_IN_SERVICE = "InService"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as far as a name goes.

    Attributes:
        name: its name.
        status: ``InService``; ``""``: not asked for.
        number: which of its containers the name's label asks for, 1 is the newest; 0: it does not.
        variants: the variants that are meant.
        session_ids: of the models behind them.
        instances: how many instances those variants have; 0: SageMaker does not say.
        shared: variants that are not meant and have the same model.
        without: models and components that have no session id.
    """

    name: str
    status: str = ""
    number: int = 0
    variants: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    instances: int = 0
    shared: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def lacking(self) -> NotRegistered:
        """Say why no container of it can be found."""
        if self.status not in ("", _IN_SERVICE, "Updating"):
            return NotRegistered(
                f"endpoint {self.name} is {self.status}, and no container of it can be found",
                hint="sm-ssh wait waits for it; its log says what keeps it",
            )
        models = ", ".join(self.without[:_LISTED]) or "its model"
        return NotRegistered(
            f"endpoint {self.name}: {models} has no {contract.SSH_SESSION_ID}, by which its containers are known",
            hint=f"give the model START_SSH=true and {contract.SSH_SESSION_ID}=some-random-word and deploy it again; "
            "sm-ssh list inference.sagemaker shows nodes by their ids",
        )


def look_up(sagemaker: Any, target: Target) -> Endpoint | None:
    """Ask SageMaker what a name of an endpoint means; None where there is neither endpoint nor component of that name.

    Args:
        sagemaker: client.
        target: name of an endpoint, with a variant, a component or a number before it or without; or of a component.

    Raises:
        NotFound: the endpoint is there, and has no such variant or component.
        AccessDenied: the caller may not ask.
    """
    described = jobs.called(sagemaker, "DescribeEndpoint", EndpointName=target.resource)
    if described is None:
        return None if target.node else _by_component(sagemaker, target.resource)
    status = str(described.get("EndpointStatus", ""))
    found = Endpoint(target.resource, status)
    every = variants_of(sagemaker, described)
    chosen = [variant for variant in every if variant["VariantName"] == target.node] if target.node else every
    if not chosen and target.node.isdigit():
        found, chosen = replace(found, number=int(target.node)), every
    if not chosen:
        component = _component(sagemaker, target.node) if target.node else None
        if component is None or component.get("EndpointName") != target.resource:
            raise _no_part(target, every)
        return _with_ids(found, _sources(sagemaker, [component]))
    names = tuple(str(variant["VariantName"]) for variant in chosen)
    models = {variant.get("ModelName") for variant in chosen} - {None}
    shared = [str(v["VariantName"]) for v in every if v["VariantName"] not in names and v.get("ModelName") in models]
    found = replace(found, variants=names, instances=_instances(described, names), shared=tuple(shared))
    return _with_ids(found, _sources(sagemaker, [*chosen, *_components(sagemaker, target.resource, chosen)]))


def variants_of(sagemaker: Any, described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the variants of an endpoint, shadows included, as its configuration has them.

    Args:
        sagemaker: client.
        described: answer of DescribeEndpoint.

    Raises:
        NotFound: the configuration has been deleted.
    """
    named = str(described.get("EndpointConfigName", ""))
    config = jobs.called(sagemaker, "DescribeEndpointConfig", EndpointConfigName=named) if named else None
    if config is None:
        raise NotFound(
            f"the configuration of endpoint {described.get('EndpointName', '')} is gone: its models are unknown",
            hint="sm-ssh list inference.sagemaker shows nodes by their ids",
        )
    return [*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ())]


def _by_component(sagemaker: Any, name: str) -> Endpoint | None:
    component = _component(sagemaker, name)
    if component is None:
        return None
    return _with_ids(Endpoint(str(component.get("EndpointName", ""))), _sources(sagemaker, [component]))


def _component(sagemaker: Any, name: str) -> Mapping[str, Any] | None:
    return jobs.called(sagemaker, "DescribeInferenceComponent", InferenceComponentName=name)


def _components(sagemaker: Any, endpoint: str, chosen: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the inference components on those variants that have no model of their own."""
    bare = {variant["VariantName"] for variant in chosen if not variant.get("ModelName")}
    if not bare:
        return []
    listed = jobs.paged(sagemaker, "ListInferenceComponents", "InferenceComponents", EndpointNameEquals=endpoint)
    wanted = [str(item["InferenceComponentName"]) for item in listed if item.get("VariantName") in bare]
    return [item for item in nodes.parallel(lambda name: _component(sagemaker, name), wanted) if item is not None]


def _sources(sagemaker: Any, places: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the session ids of models and components by their names.

    Args:
        sagemaker: client.
        places: variants of a configuration, and answers of DescribeInferenceComponent.
    """
    found: dict[str, set[str]] = {}
    models: set[str] = set()
    for place in places:
        listed = [place.get("Specification") or {}, *(place.get("Specifications") or ())]
        for specification in listed if "InferenceComponentName" in place else [place]:
            if specification.get("ModelName"):
                models.add(str(specification["ModelName"]))
            elif "Container" in specification:
                found.setdefault(str(place["InferenceComponentName"]), set()).update(_ids([specification["Container"]]))

    def described(name: str) -> set[str]:
        model = jobs.called(sagemaker, "DescribeModel", ModelName=name) or {}
        return _ids([model.get("PrimaryContainer") or {}, *(model.get("Containers") or ())])

    ordered = sorted(models)
    return {**found, **dict(zip(ordered, nodes.parallel(described, ordered), strict=True))}


def _ids(containers: Iterable[Mapping[str, Any]]) -> set[str]:
    variables = (container.get("Environment") or {} for container in containers)
    return {str(each[contract.SSH_SESSION_ID]) for each in variables if each.get(contract.SSH_SESSION_ID)}


def _with_ids(endpoint: Endpoint, sources: Mapping[str, set[str]]) -> Endpoint:
    return replace(
        endpoint,
        session_ids=tuple(sorted({word for words in sources.values() for word in words})),
        without=tuple(sorted(name for name, words in sources.items() if not words)),
    )


def _instances(described: Mapping[str, Any], names: Sequence[str]) -> int:
    every = [*described.get("ProductionVariants", ()), *described.get("ShadowProductionVariants", ())]
    return sum(int(one.get("CurrentInstanceCount") or 0) for one in every if one.get("VariantName") in names)


def _no_part(target: Target, every: Sequence[Mapping[str, Any]]) -> NotFound:
    there = ", ".join(str(variant["VariantName"]) for variant in every[:_LISTED]) or "none"
    return NotFound(
        f"endpoint {target.resource} has no variant, inference component or container {target.node}",
        hint=f"its variants: {there}; 1.{target.resource}.inference{contract.NAME_SUFFIX} is the newest container",
    )
