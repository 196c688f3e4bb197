"""Create, Update, Delete and List of endpoints: the record first, then the endpoint's runner at the desk."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane import endpoint_records
from sm_ssh_entry.plane.api import AwsError, Handler, NotOurs, Request
from sm_ssh_entry.plane.execution.order import SCALE, STOP, UPDATE
from sm_ssh_entry.plane.in_service import KIND, Endpoint
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.sagemaker_records import arn, backend
from sm_ssh_entry.plane.store import Store

_PAGE = 10
_SORTED_BY = {"Name": "endpoint_name", "CreationTime": "creation_time", "Status": "endpoint_status"}


async def create(store: Store, request: Request) -> dict[str, Any]:
    """Make an endpoint and start it.

    Raises:
        AwsError: ValidationException, ResourceLimitExceeded.
        NotOurs: endpoints are records here.
    """
    if store.desk is None or not store.desk.runs:
        raise NotOurs
    params, region, name = request.params, request.region, request.params["EndpointName"]
    made = await asyncio.to_thread(endpoint_records.create, store, region, params)
    store.endpoints[region, name] = Endpoint()
    await store.desk.start(KIND, name, region, arn=made, request=params)
    return {"EndpointArn": made}


async def update(store: Store, request: Request) -> dict[str, Any]:
    """Have an endpoint take another configuration; until that is in service the one before it is.

    Raises:
        AwsError: ValidationException.
        NotOurs: the endpoint is a record only.
    """
    params, name = request.params, request.params["EndpointName"]
    _require_ours(store, request)
    config = params["EndpointConfigName"]
    await asyncio.to_thread(endpoint_records.change, store, request.region, name, config)
    await _tell(store, request, UPDATE, {"config": config, "retain": bool(params.get("RetainAllVariantProperties"))})
    return {"EndpointArn": arn(store, request.region, f"endpoint/{name}")}


async def scale(store: Store, request: Request) -> dict[str, Any]:
    """Have an endpoint change its variants' weights and numbers of instances.

    Raises:
        AwsError: ValidationException, ResourceLimitExceeded.
        NotOurs: the endpoint is a record only.
    """
    _require_ours(store, request)
    name, wishes = request.params["EndpointName"], request.params["DesiredWeightsAndCapacities"]
    await asyncio.to_thread(endpoint_records.scale, store, request.region, name, wishes)
    await _tell(store, request, SCALE, wishes)
    return {"EndpointArn": arn(store, request.region, f"endpoint/{name}")}


async def delete(store: Store, request: Request) -> dict[str, Any]:
    """Take an endpoint out of service and have its containers stopped; its record goes when they are gone.

    Raises:
        AwsError: ValidationException.
        NotOurs: the endpoint is a record only.
    """
    endpoint, region, name = _require_ours(store, request), request.region, request.params["EndpointName"]
    runs = await asyncio.to_thread(endpoint_records.delete, store, region, name)
    endpoint.close()
    # A runner has nothing left to do once its endpoint has failed.
    if not runs or store.desk is None or not await store.desk.tell(KIND, name, region, STOP):
        await asyncio.to_thread(endpoint_records.end, store, region, name, "")
    return {}


async def listing(store: Store, request: Request) -> dict[str, Any]:
    """List endpoints, newest first unless told otherwise.

    Raises:
        AwsError: InvalidNextToken.
    """
    params = request.params
    part, status = params.get("NameContains") or "", params.get("StatusEquals")
    key = _SORTED_BY[params.get("SortBy") or "CreationTime"]

    def found() -> list[Any]:
        there = list(backend(store, request.region).endpoints.values())
        # Those of one moment in the order in which they were made.
        there.sort(key=lambda one: getattr(one, key))
        return [
            one
            for one in there
            if part in one.endpoint_name
            and status in (None, one.endpoint_status)
            and _between(params, "CreationTime", one.creation_time)
            and _between(params, "LastModifiedTime", one.last_modified_time)
        ]

    sign = 1 if params.get("SortOrder") == "Ascending" else -1
    places = sorted(((sign * place, one) for place, one in enumerate(await asyncio.to_thread(found))), key=_place)
    items, token = page(request, places, _place, default=_PAGE)
    return {"Endpoints": [_summary(one) for _, one in items]} | token


def _place(pair: tuple[int, Any]) -> int:
    return pair[0]


def _summary(one: Any) -> dict[str, Any]:
    return {
        "EndpointName": one.endpoint_name,
        "EndpointArn": one.arn,
        "EndpointStatus": one.endpoint_status,
        "CreationTime": _epoch(one.creation_time),
        "LastModifiedTime": _epoch(one.last_modified_time),
    }


def _between(params: dict[str, Any], what: str, at: datetime) -> bool:
    after, before = params.get(f"{what}After", float("-inf")), params.get(f"{what}Before", float("inf"))
    return bool(after < _epoch(at) < before)


def _epoch(at: datetime) -> float:
    """Return epoch seconds of one of moto's times, which are UTC's without saying so."""
    return at.replace(tzinfo=timezone.utc).timestamp()


def _require_ours(store: Store, request: Request) -> Endpoint:
    found = store.endpoints.get((request.region, request.params["EndpointName"]))
    if found is None:
        raise NotOurs
    return found


async def _tell(store: Store, request: Request, word: str, what: object) -> None:
    name = request.params["EndpointName"]
    if store.desk is None or not await store.desk.tell(KIND, name, request.region, f"{word} {json.dumps(what)}"):
        raise AwsError("InternalFailure", f"The runner of endpoint {name} is gone.", 500)


OPERATIONS: dict[str, Handler] = {
    "CreateEndpoint": create,
    "UpdateEndpoint": update,
    "UpdateEndpointWeightsAndCapacities": scale,
    "DeleteEndpoint": delete,
    "ListEndpoints": listing,
}
