"""Thousands of managed nodes in a plane's table, of ours and of others, dead and alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sm_ssh_entry import contract
from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Activation

REGION = "us-east-1"
DAY = 86_400.0
OURS = {contract.TAG_TIMESTAMP: "1", contract.TAG_RESOURCE_KIND: "training", contract.TAG_RESOURCE_NAME: "j"}


@dataclass
class Crowd:
    """Adds nodes in bulk; every one registered and was last heard so many days ago."""

    plane: PlaneThread
    ids: dict[str, list[str]] = field(default_factory=dict)

    def add(self, group: str, count: int, tags: Mapping[str, str], *, days: float, online: bool = False) -> list[str]:
        """Add a group of like nodes and return their ids."""

        def make(running: Plane) -> list[str]:
            now = running.store.clock()
            activation = Activation("a", "c", REGION, "Role", 0.0, 1e12, tags=tags, default_instance_name="j")
            made = []
            for _ in range(count):
                node = running.store.nodes.register(
                    activation, public_key="k", fingerprint="f", now=now - max(days, 1 / 24) * DAY
                )
                node.ping(now if online else now - days * DAY)
                node.info["AgentVersion"] = "3.3.0.0"
                made.append(node.node_id)
            return made

        made = self.plane.call(make)
        self.ids.setdefault(group, []).extend(made)
        return made

    def left(self) -> set[str]:
        """Return the ids of all nodes that are there."""
        return self.plane.call(lambda running: {node.node_id for node in running.store.nodes})

    def remaining(self) -> int:
        """Return how many nodes are there."""
        return self.plane.call(lambda running: len(running.store.nodes))
