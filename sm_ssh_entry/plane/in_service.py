"""What is in service on this plane: endpoints that run, their instances, and who gets the next invocation."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sm_ssh_entry.plane.sessions import active

if TYPE_CHECKING:
    import asyncio

    from sm_ssh_entry.plane.multi_model import Models
    from sm_ssh_entry.plane.store import Store

# The kind of an endpoint's runner.
KIND = "inference"


def name_of(target: str) -> str:
    """Return what a container calls one of its models, to which TargetModel itself is opaque.

    Args:
        target: TargetModel.
    """
    return hashlib.sha256(target.encode()).hexdigest()[:32]


@dataclass(eq=False)
class Container:
    """One container of an instance.

    Args:
        label: what messages and TargetContainerHostname call it.
        where: where it listens: ``HOST:PORT``.
        folder: what it calls its folder of models; ``""``: it has one model.

    Attributes:
        models: its models, if it has many; made by whoever invokes it first.
    """

    label: str
    where: str
    folder: str = ""
    models: Models | None = None


@dataclass(eq=False)
class Instance:
    """One instance.

    Args:
        id: its id.
        variant: the name of its variant.
        mode: ``Single``, ``Serial`` or ``Direct``.
        containers: its containers.

    Attributes:
        busy: how many invocations it answers now.
    """

    id: str
    variant: str
    mode: str
    containers: list[Container]
    busy: int = 0

    @property
    def multi_model(self) -> bool:
        """Whether it has many models."""
        return any(one.folder for one in self.containers)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count an invocation while it is under way."""
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1


@dataclass(eq=False)
class Endpoint:
    """An endpoint that runs here.

    Attributes:
        in_service: whether it may be invoked.
        closed: whether it is to be deleted.
        weights: its variants' shares of the invocations.
        instances: those that are sent to, by id.
        leaving: those that answer what they were sent before.
        fetches: what is being brought to an instance, by a ticket for it.
    """

    in_service: bool = False
    closed: bool = False
    weights: dict[str, float] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    leaving: dict[str, Instance] = field(default_factory=dict)
    fetches: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    def open(self) -> None:
        """Have it be invoked, unless it is to be deleted."""
        self.in_service = not self.closed

    def close(self) -> None:
        """Have nobody invoke it any more."""
        self.in_service, self.closed = False, True

    def take(self, variants: Sequence[Mapping[str, Any]], instances: Sequence[Mapping[str, Any]]) -> list[str]:
        """Take over what its runner says; return the instances that are not sent to any more and still answer.

        Args:
            variants: as DescribeEndpoint gives them.
            instances: those in service, with their containers.
        """
        self.weights = {one["VariantName"]: one["CurrentWeight"] for one in variants}
        before = self.leaving | self.instances
        # One that is known keeps what is known of it: its models for one.
        self.instances = {one["id"]: before.get(one["id"]) or _instance(one) for one in instances}
        self.leaving = {name: one for name, one in before.items() if name not in self.instances and one.busy}
        return list(self.leaving)

    def pick(self, variant: str = "", *, tried: Sequence[Instance] = ()) -> Instance | None:
        """Return the instance for an invocation: a variant by weight, and its least busy one.

        Args:
            variant: TargetVariant; ``""``: any.
            tried: instances that could not be reached.
        """
        there = [one for one in self.instances.values() if one not in tried]
        if not variant:
            names = list(dict.fromkeys(one.variant for one in there))
            weights = [self.weights.get(name, 0.0) for name in names]
            if not any(weights):
                return None
            variant = random.choices(names, weights)[0]  # noqa: S311 - a share of invocations is no secret
        there = [one for one in there if one.variant == variant]
        random.shuffle(there)
        return min(there, key=lambda one: one.busy, default=None)


def end_sessions(store: Store, region: str, hosts: Sequence[str]) -> None:
    """End the sessions into containers that have ended: nobody need wait until their agents are missed.

    Args:
        store: the plane's state.
        region: their region.
        hosts: their host names.
    """
    for session in active(store.sessions.values()):
        node = store.nodes.get(session.node_id, region)
        if session.link and node is not None and node.info.get("ComputerName", "").partition(".")[0] in hosts:
            session.link.end("The container has ended.")


def _instance(told: Mapping[str, Any]) -> Instance:
    containers = [Container(one["label"], one["where"], one["models"]) for one in told["containers"]]
    return Instance(told["id"], told["variant"], told["mode"], containers)
