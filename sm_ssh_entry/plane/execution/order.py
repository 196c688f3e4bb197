"""What the desk tells a runner, as lines of JSON on its standard input: the order, then one word for each event."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane import daemon

# How jobs run: in containers where an engine answers and as processes elsewhere, in one of the two ways only, or not.
MODES = ("auto", "containers", "processes", "records")
# Kinds that end by themselves.
JOBS = ("training", "processing", "transform")
# What a runner may be told after its order.
STOP, INTERRUPT = "stop", "interrupt"
# An endpoint, with JSON behind the word: another configuration, weights and capacities, one of many models.
UPDATE, SCALE, FETCH = "update", "scale", "fetch"


@dataclass(frozen=True)
class Order:
    """One resource that is to run.

    Args:
        kind: ``training``, ``processing``, ``transform``, ``inference`` or ``tuning``.
        name: its name.
        region: its region.
        arn: its ARN.
        request: the Create request as it came.
        mode: one of ``MODES``.
        folder: the plane's folder.
        state: the plane.
    """

    kind: str
    name: str
    region: str
    arn: str
    request: Mapping[str, Any]
    mode: str
    folder: str
    state: daemon.State

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other: kind, region and name."""
        return self.kind, self.region, self.name

    def line(self) -> bytes:
        """Return it as one line; it holds the plane's keys."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"


def read(line: bytes) -> Order:
    """Return the order of a line.

    Args:
        line: what ``Order.line`` gave.
    """
    found = json.loads(line)
    return Order(**found | {"state": daemon.State(**found["state"])})
