"""The nodes of a training job: their names, in their instance groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sm_ssh_entry.plane.opt_ml import INSTANCE_GROUP, INSTANCE_TYPE, InstanceGroup


def groups(config: Mapping[str, Any]) -> tuple[InstanceGroup, ...]:
    """Return the instance groups of a request; one that names none has a single one, called as the service does.

    Args:
        config: the request's ``ResourceConfig``.
    """
    wanted = config.get("InstanceGroups")
    if not wanted:
        count = config.get("InstanceCount", 1)
        return (InstanceGroup(INSTANCE_GROUP, _instance_type(config), _names(1, count)),)
    made: list[InstanceGroup] = []
    first = 1
    for one in wanted:
        count = one["InstanceCount"]
        made.append(InstanceGroup(one["InstanceGroupName"], one["InstanceType"], _names(first, count)))
        first += count
    return tuple(made)


def _names(first: int, count: int) -> tuple[str, ...]:
    return tuple(f"algo-{number}" for number in range(first, first + count))


def _instance_type(config: Mapping[str, Any]) -> str:
    preferences: Sequence[Mapping[str, Any]] = config.get("InstancePreferences") or ()
    # The first preference is the one that the service tries first; here every type is to be had.
    preferred = preferences[0].get("InstanceType", INSTANCE_TYPE) if preferences else INSTANCE_TYPE
    return str(config.get("InstanceType", preferred))
