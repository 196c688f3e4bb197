"""Inference components: models placed on a variant of an endpoint that has no model of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.sagemaker_records import arn, backend, models
from sm_ssh_entry.plane.store import Store

_PAGE = 10
_STATUS = "InService"


@dataclass(frozen=True)
class Component:
    """One component: its place in the order of creation, and AWS's own fields as Describe gives them."""

    serial: int
    region: str
    fields: dict[str, Any]


async def create(store: Store, request: Request) -> dict[str, Any]:
    """Make an inference component; it is in service at once.

    Raises:
        AwsError: ValidationException, for an endpoint, a variant or a model that there is not, or a name that is taken.
    """
    params, region = request.params, request.region
    name, endpoint = params["InferenceComponentName"], params["EndpointName"]
    own = arn(store, region, f"inference-component/{name}")
    if (region, name) in store.components:
        raise AwsError("ValidationException", f"Cannot create already existing inference component '{own}'.")
    await asyncio.to_thread(_check, store, request)
    now = store.clock()
    copies = (params.get("RuntimeConfig") or {}).get("CopyCount", 1)
    fields = {
        "InferenceComponentName": name,
        "InferenceComponentArn": own,
        "EndpointName": endpoint,
        "EndpointArn": arn(store, region, f"endpoint/{endpoint}"),
        "VariantName": params.get("VariantName"),
        "Specification": _summary(params["Specification"]) if "Specification" in params else None,
        "Specifications": [_summary(one) for one in params.get("Specifications") or ()] or None,
        "RuntimeConfig": {"DesiredCopyCount": copies, "CurrentCopyCount": copies},
        "CreationTime": now,
        "LastModifiedTime": now,
        "InferenceComponentStatus": _STATUS,
    }
    serial = max((one.serial for one in store.components.values()), default=0) + 1
    known = {member: value for member, value in fields.items() if value is not None}
    store.components[region, name] = Component(serial, region, known)
    return {"InferenceComponentArn": own}


async def describe(store: Store, request: Request) -> dict[str, Any]:
    """Describe an inference component.

    Raises:
        AwsError: ValidationException, where there is none of that name.
    """
    return dict(_found(store, request).fields)


async def listing(store: Store, request: Request) -> dict[str, Any]:
    """List inference components, oldest first.

    Raises:
        AwsError: InvalidNextToken.
    """
    params = request.params
    equal = {
        "EndpointName": params.get("EndpointNameEquals"),
        "VariantName": params.get("VariantNameEquals"),
        "InferenceComponentStatus": params.get("StatusEquals"),
    }
    part = params.get("NameContains") or ""
    found = [
        one
        for one in store.components.values()
        if one.region == request.region
        and part in one.fields["InferenceComponentName"]
        and all(value is None or one.fields.get(member) == value for member, value in equal.items())
    ]
    items, token = page(request, found, lambda one: one.serial, default=_PAGE)
    hidden = {"Specification", "Specifications", "RuntimeConfig"}
    shown = [{name: value for name, value in one.fields.items() if name not in hidden} for one in items]
    return {"InferenceComponents": shown} | token


async def delete(store: Store, request: Request) -> dict[str, Any]:
    """Delete an inference component.

    Raises:
        AwsError: ValidationException, where there is none of that name.
    """
    _found(store, request)
    del store.components[request.region, request.params["InferenceComponentName"]]
    return {}


def _check(store: Store, request: Request) -> None:
    there, params = backend(store, request.region), request.params
    endpoint = there.endpoints.get(params["EndpointName"])
    if endpoint is None:
        where = arn(store, request.region, f"endpoint/{params['EndpointName']}")
        raise AwsError("ValidationException", f'Could not find endpoint "{where}".')
    variants = {one["VariantName"] for one in endpoint.production_variants}
    if params.get("VariantName", next(iter(variants))) not in variants:
        raise AwsError("ValidationException", f"Variant {params['VariantName']} is not one of the endpoint's.")
    for one in [params.get("Specification") or {}, *(params.get("Specifications") or ())]:
        model = one.get("ModelName")
        if model is not None and model not in models(there):
            raise AwsError(
                "ValidationException", f'Could not find model "{arn(store, request.region, f"model/{model}")}".'
            )


def _found(store: Store, request: Request) -> Component:
    name = request.params["InferenceComponentName"]
    found = store.components.get((request.region, name))
    if found is None:
        where = arn(store, request.region, f"inference-component/{name}")
        raise AwsError("ValidationException", f'Could not find inference component "{where}".')
    return found


def _summary(specification: dict[str, Any]) -> dict[str, Any]:
    """Return a specification as Describe shows it: an image stands there as what was deployed of it."""
    container = specification.get("Container")
    if container is None:
        return dict(specification)
    image = container.get("Image")
    deployed = {"DeployedImage": {"SpecifiedImage": image, "ResolvedImage": image}} if image else {}
    return {**specification, "Container": {name: one for name, one in container.items() if name != "Image"} | deployed}


OPERATIONS: dict[str, Handler] = {
    "CreateInferenceComponent": create,
    "DescribeInferenceComponent": describe,
    "ListInferenceComponents": listing,
    "DeleteInferenceComponent": delete,
}
