"""Expired activations of ours: all pages of them, and no others."""

from __future__ import annotations

import uuid
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect.fleet import activations
from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Activation
from tests.connect.fleet.crowd import OURS, REGION


def add(plane: PlaneThread, count: int, *, seconds: float, description: str, tags: dict[str, str]) -> set[str]:
    """Add activations that expire so many seconds from now."""

    def make(running: Plane) -> set[str]:
        ids = {str(uuid.uuid4()) for _ in range(count)}
        now = running.store.clock()
        for one in ids:
            running.store.activations[one] = Activation(
                one, "c", REGION, "R", now - 4000, now + seconds, description=description, tags=tags
            )
        return ids

    return plane.call(make)


def test_only_ours_and_only_expired_ones(plane: PlaneThread, ssm: Any) -> None:
    mine = add(plane, 3, seconds=-5, description="sm-ssh 1.0 j", tags={**OURS, contract.TAG_OWNER: "AROA:me"})
    ours = add(plane, 110, seconds=-5, description="sm-ssh 1.0 j", tags=OURS) | mine
    others = add(plane, 2, seconds=500, description="sm-ssh 1.0 j", tags=OURS)
    others |= add(plane, 2, seconds=-5, description="web", tags=OURS)
    others |= add(plane, 2, seconds=-5, description="sm-ssh by hand", tags={})
    assert {one.activation_id for one in activations.expired(ssm, owner="AROA:me")} == mine
    left = list(activations.expired(ssm))
    assert {one.activation_id for one in left} == ours
    done: list[int] = []
    first = str(left[0].activation_id)
    plane.call(lambda running: running.store.activations.pop(first))
    assert activations.delete(ssm, left, told=done.append) == len(ours)
    assert done[-1] == len(ours)
    assert plane.call(lambda running: set(running.store.activations)) == others
