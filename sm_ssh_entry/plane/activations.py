"""Hybrid activations: CreateActivation, DescribeActivations, DeleteActivation, and the use of one by a registration."""

from __future__ import annotations

import hmac
import secrets
import string
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.store import Activation, Store

DAY = 86_400.0
# Contract page, section 5.1: 24 hours where nothing is said, 30 days at most.
DEFAULT_LIFETIME = DAY
MAX_LIFETIME = 30 * DAY
# AWS's general limit of tags on one resource.
MAX_TAGS = 50
# The length of real codes. Letters and digits only: the code is a word on the agent's command line.
_CODE_LENGTH = 20
_CODE_ALPHABET = string.ascii_letters + string.digits


def tags_of(items: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Turn AWS's list of tags into a mapping.

    Raises:
        AwsError: ValidationException, for a key that occurs twice or that AWS keeps to itself.
    """
    found: dict[str, str] = {}
    for item in items:
        key = item["Key"]
        if key in found:
            raise AwsError("ValidationException", f"Duplicate tag key '{key}'.")
        if key.lower().startswith("aws:"):
            raise AwsError("ValidationException", f"Tag key '{key}' is reserved: keys must not start with aws:.")
        found[key] = item["Value"]
    return found


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Turn a mapping into AWS's list of tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


async def create_activation(store: Store, request: Request) -> dict[str, Any]:
    """Make an activation.

    Raises:
        AwsError: InvalidParameters, for an expiry in the past or too far ahead; ValidationException, for a role that
            cannot be a role's name or tags that cannot be.
    """
    params, now = request.params, store.clock()
    expires = _epoch(params["ExpirationDate"]) if params.get("ExpirationDate") is not None else now + DEFAULT_LIFETIME
    if not now < expires <= now + MAX_LIFETIME:
        raise AwsError("InvalidParameters", "ExpirationDate must be in the future and at most 30 days ahead.")
    role = params["IamRole"]
    if not role or ":" in role or role.startswith("/"):
        # The name, or the path and the name; AWS looks it up and says this for whatever it does not find.
        raise AwsError(
            "ValidationException", f"Nonexistent role or missing ssm service principal in trust policy: {role}"
        )
    tags = tags_of(params.get("Tags") or [])
    if len(tags) > MAX_TAGS:
        raise AwsError("InvalidParameters", f"An activation has at most {MAX_TAGS} tags.")
    activation = Activation(
        activation_id=str(uuid.uuid4()),
        code="".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH)),
        region=request.region,
        iam_role=role,
        created=now,
        expires=expires,
        registration_limit=params.get("RegistrationLimit") or 1,
        default_instance_name=params.get("DefaultInstanceName") or "",
        description=params.get("Description") or "",
        tags=tags,
    )
    store.activations[activation.activation_id] = activation
    return {"ActivationId": activation.activation_id, "ActivationCode": activation.code}


async def describe_activations(store: Store, request: Request) -> dict[str, Any]:
    """List activations, the filters joined by "and", the values of one filter by "or".

    Raises:
        AwsError: InvalidFilter, InvalidNextToken.
    """
    filters = [_filter(item) for item in request.params.get("Filters") or []]
    # Numbered by age. A deletion between two pages may shift the numbers; the page then repeats one rather than skips.
    found = [
        (number, one)
        for number, one in enumerate(
            (one for one in store.activations.values() if one.region == request.region and not one.target), 1
        )
        if all(_value(one, key) in values for key, values in filters)
    ]
    items, token = page(request, found, lambda pair: pair[0])
    return {"ActivationList": [_describe(store, one) for _, one in items]} | token


async def delete_activation(store: Store, request: Request) -> dict[str, Any]:
    """Delete an activation: no further registration with it; the nodes stay.

    Raises:
        AwsError: InvalidActivationId, where there is none of this id here.
    """
    activation = store.activations.get(request.params["ActivationId"])
    if activation is None or activation.region != request.region or activation.target:
        raise AwsError("InvalidActivationId", "The activation ID is not valid.")
    del store.activations[activation.activation_id]
    return {}


def use(store: Store, activation_id: str, code: str) -> Activation:
    """Consume one registration of an activation.

    No await stands between the check and the count, so concurrent registrations cannot exceed the limit.

    Raises:
        AwsError: InvalidActivation, in the same words for an unknown id, a wrong code, an expired and a used-up
            activation: who guesses learns nothing.
    """
    activation = store.activations.get(activation_id.lower())
    right_code = hmac.compare_digest((activation.code if activation else "").encode(), code.encode())
    if (
        activation is None
        or not right_code
        or activation.expires <= store.clock()
        or activation.registrations >= activation.registration_limit
    ):
        raise AwsError("InvalidActivation", "The activation is not valid: unknown, expired, used up, or another code.")
    activation.registrations += 1
    return activation


def _filter(item: Mapping[str, Any]) -> tuple[str, set[str]]:
    key, values = item.get("FilterKey"), item.get("FilterValues")
    if not key or not values:
        raise AwsError("InvalidFilter", "A filter needs a FilterKey and at least one of FilterValues.")
    return key, set(values)


def _value(activation: Activation, key: str) -> str:
    return {
        "ActivationIds": activation.activation_id,
        "DefaultInstanceName": activation.default_instance_name,
        "IamRole": activation.iam_role,
    }[key]


def _describe(store: Store, one: Activation) -> dict[str, Any]:
    return {
        "ActivationId": one.activation_id,
        "Description": one.description,
        "DefaultInstanceName": one.default_instance_name,
        "IamRole": one.iam_role,
        "RegistrationLimit": one.registration_limit,
        "RegistrationsCount": one.registrations,
        "ExpirationDate": one.expires,
        "Expired": one.expires <= store.clock(),
        "CreatedDate": one.created,
        "Tags": tag_list(one.tags),
    }


def _epoch(value: float | str) -> float:
    if not isinstance(value, str):
        return float(value)
    try:
        at = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as error:
        raise AwsError("SerializationException", "STRING_VALUE can not be converted to a Date") from error
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()


OPERATIONS: dict[str, Handler] = {
    "CreateActivation": create_activation,
    "DescribeActivations": describe_activations,
    "DeleteActivation": delete_activation,
}
