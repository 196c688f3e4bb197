"""Activations that our containers made: used once, good for an hour, and left behind. The expired ones can go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect.fleet.pace import Pace
from sm_ssh_entry.errors import ServiceError

# The container's description of what it makes.
_DESCRIPTION = "sm-ssh "
_PAGE = 50


@dataclass(frozen=True)
class Left:
    """An expired activation of ours."""

    activation_id: str
    expired: datetime | None


def expired(ssm: Any, *, owner: str = "", pace: Pace | None = None) -> Iterator[Left]:
    """Give the activations of ours that cannot register anything any more.

    Args:
        ssm: client.
        owner: value of the tag SSHOwner; ``""``: whoever it is.
        pace: how fast.
    """
    pace = pace or Pace()
    token: dict[str, str] = {}
    while True:
        page = pace.call(lambda: _page(ssm, token))  # noqa: B023 - called before the loop goes on
        for item in page.get("ActivationList", ()):
            tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())}
            ours = contract.TAG_TIMESTAMP in tags and str(item.get("Description", "")).startswith(_DESCRIPTION)
            owned = not owner or tags.get(contract.TAG_OWNER) == owner
            if ours and owned and item.get("Expired"):
                yield Left(str(item["ActivationId"]), item.get("ExpirationDate"))
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def delete(ssm: Any, left: Sequence[Left], *, told: Callable[[int], None] = lambda _: None) -> int:
    """Delete activations; return how many there were. Nodes that they registered stay.

    Args:
        ssm: client.
        left: what ``expired`` gave.
        told: told how many are done.
    """
    pace = Pace()
    for number, one in enumerate(left, 1):
        pace.call(lambda: _delete(ssm, one.activation_id))  # noqa: B023 - called before the loop goes on
        told(number)
    return len(left)


def _page(ssm: Any, token: dict[str, str]) -> dict[str, Any]:
    with aws.errors_of(action="ssm:DescribeActivations"):
        found: dict[str, Any] = ssm.describe_activations(MaxResults=_PAGE, **token)
    return found


def _delete(ssm: Any, activation_id: str) -> None:
    try:
        with aws.errors_of(action="ssm:DeleteActivation"):
            ssm.delete_activation(ActivationId=activation_id)
    except ServiceError as error:
        if error.code not in {"InvalidActivationId", "InvalidActivation"}:  # gone already
            raise
