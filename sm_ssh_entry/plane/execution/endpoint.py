"""An endpoint: its instances in service, replaced when they end, exchanged by an update, gone when it is deleted."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.errors import PlaneDown, ServiceError
from sm_ssh_entry.plane import daemon
from sm_ssh_entry.plane.execution import machines, variants
from sm_ssh_entry.plane.execution.fleet import Fleet, Instance
from sm_ssh_entry.plane.execution.order import FETCH, SCALE, UPDATE
from sm_ssh_entry.plane.execution.variants import Variant
from sm_ssh_entry.plane.execution.work import GONE, Failed, Stopped, Work
from sm_ssh_entry.plane.log_shipping import Shipper

# Invocations under way have as long as the longest of them may take.
_DRAIN_SECONDS = 60.0
_DRAIN_PAUSE = 0.1
_TELL_TRIES, _TELL_PAUSE = 5, 0.2
# An instance that ends again and again is replaced ever more slowly.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0


def run(work: Work) -> None:
    """Run an endpoint until it is deleted.

    Args:
        work: its order.

    Raises:
        Failed: it never came into service.
        Stopped: it was deleted.
    """
    place = work.place(machines.job_of(work))
    with Shipper(place.state) as shipper, machines.opened(work, place) as where:
        _Endpoint(work, where, lambda ended: Fleet(work, where, shipper, place.job.folder / "models", ended)).run()


@dataclass(frozen=True)
class _Shape:
    """What an endpoint is to look like: its variants, how many instances of each there are, and their weights."""

    variants: tuple[Variant, ...]
    counts: Mapping[str, int]
    weights: Mapping[str, float]

    def lacking(self, live: Sequence[Instance]) -> list[Variant]:
        """Return the variants of which instances are missing, each as often as one is."""
        there = Counter(one.variant.name for one in live)
        return [
            one
            for one in self.variants
            for _ in range(self.counts[one.name] - there[one.name] if one.containers else 0)
        ]

    def surplus(self, live: Sequence[Instance]) -> list[Instance]:
        """Return the instances that are too many, the newest of each variant."""
        return [
            one
            for variant in self.variants
            for one in [each for each in live if each.variant.name == variant.name][self.counts[variant.name] :]
        ]


class _Endpoint:
    """One endpoint. What changes its instances does so one after the other, in the thread that runs it."""

    def __init__(
        self, work: Work, where: machines.Machines, fleet: Callable[[Callable[[Instance], object]], Fleet]
    ) -> None:
        self._work, self._machines = work, where
        # None: it is to end.
        self._tasks: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._fleet = fleet(lambda instance: self._tasks.put(lambda: self._lost(instance)))
        self._shape = _Shape((), {}, {})
        self._live: list[Instance] = []
        # Those that nobody is sent to any more, while what they were sent is under way.
        self._leaving: list[Instance] = []
        self._images: dict[str, dict[str, Any]] = {}
        work.on(FETCH, self._fetch)
        work.on(UPDATE, lambda rest: self._tasks.put(lambda: self._update(json.loads(rest))))
        work.on(SCALE, lambda rest: self._tasks.put(lambda: self._scale(json.loads(rest))))
        threading.Thread(target=self._await_end, name="end", daemon=True).start()

    def run(self) -> None:
        """Bring it into service and keep it there until it is to end."""
        config = str(self._work.order.request["EndpointConfigName"])
        self._shape = self._read(config)
        self._tell("Creating")
        try:
            self._live = self._fleet.start(self._shape.lacking([]))
        finally:
            self._tell("InService" if self._live else "")
        while task := self._tasks.get():
            with contextlib.suppress(Stopped):
                task()
        self._leave(self._live, "Deleting")
        raise Stopped(self._work.stopping)

    def _await_end(self) -> None:
        self._work.happened.get()
        self._tasks.put(None)

    def _read(self, config: str) -> _Shape:
        found = variants.read(self._work.client("sagemaker"), config)
        return _Shape(tuple(found), {one.name: one.count for one in found}, {one.name: one.weight for one in found})

    def _lost(self, ended: Instance) -> None:
        """Put another instance in the place of one that has ended."""
        if ended in self._live:
            self._live.remove(ended)
            self._tell()
            self._fleet.stop([ended])
            self._replenish()

    def _replenish(self, pause: float = _FIRST_PAUSE) -> None:
        """Start what is missing; try again later if it does not come up."""
        try:
            self._live += self._fleet.start(self._shape.lacking(self._live))
        except Failed as error:
            self._work.say(f"an instance is missing: {error}; again in {pause:g} s")
            again = threading.Timer(pause, self._tasks.put, (lambda: self._replenish(min(2 * pause, _LONGEST_PAUSE)),))
            again.daemon = True
            again.start()
        self._tell()

    def _update(self, wish: Mapping[str, Any]) -> None:
        """Bring up all of another configuration, then end what was there before."""
        try:
            shape = self._read(wish["config"])
            if wish["retain"]:
                kept = {one.name for one in shape.variants} & {one.name for one in self._shape.variants}
                counts = {name: self._shape.counts[name] for name in kept}
                weights = {name: self._shape.weights[name] for name in kept}
                shape = _Shape(shape.variants, {**shape.counts, **counts}, {**shape.weights, **weights})
            new = self._fleet.start(shape.lacking([]))
        except Failed as error:
            self._tell("RollingBack", str(error))
            self._tell("InService", str(error))
            return
        old, self._live, self._shape = self._live, new, shape
        self._leave(old, "Updating")
        self._tell("InService", config=wish["config"])

    def _scale(self, wishes: Sequence[Mapping[str, Any]]) -> None:
        """Change weights and numbers of instances."""
        counts, weights = dict(self._shape.counts), dict(self._shape.weights)
        for wish in wishes:
            name = wish["VariantName"]
            counts[name] = wish.get("DesiredInstanceCount", counts[name])
            weights[name] = wish.get("DesiredWeight", weights[name])
        shape = _Shape(self._shape.variants, counts, weights)
        try:
            self._live += self._fleet.start(shape.lacking(self._live))
        except Failed as error:
            self._tell("InService", str(error))
            return
        self._shape = shape
        leaving = shape.surplus(self._live)
        self._live = [one for one in self._live if one not in leaving]
        self._leave(leaving, "Updating")
        self._tell("InService")

    def _leave(self, instances: Sequence[Instance], status: str) -> None:
        """Take instances out of service: what they were sent is answered first."""
        self._leaving = list(instances)
        self._live = [one for one in self._live if one not in self._leaving]
        leaving = {one.id for one in instances}
        deadline = time.monotonic() + _DRAIN_SECONDS
        while leaving & self._tell(status) and time.monotonic() < deadline and self._work.stopping != GONE:
            time.sleep(_DRAIN_PAUSE)
        self._fleet.stop(instances)
        self._leaving = []
        self._tell(status)

    def _tell(self, status: str = "", failure: str = "", config: str = "") -> set[str]:
        """Tell the plane how the endpoint stands; return which instances are answering something."""
        order = self._work.order
        params: dict[str, Any] = {"name": order.name, "region": order.region, "endpoint_status": status}
        gone, self._fleet.gone = self._fleet.gone, []
        params |= {"failure": failure, "config": config, "gone": gone}
        params |= {"variants": [self._described(one) for one in self._shape.variants]}
        answer = self._ask("serving", params | {"instances": [one.told() for one in self._live]})
        return set(answer.get("busy", ()))

    def _ask(self, route: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call one of the plane's own routes; a plane that is gone, or has forgotten the endpoint, answers nothing."""
        with contextlib.suppress(ServiceError):
            for _ in range(_TELL_TRIES):
                with contextlib.suppress(PlaneDown):
                    return daemon.ask(self._work.order.state, "POST", route, params)
                if self._work.stopping == GONE:
                    break
                # A busy machine's plane may be slow to answer.
                time.sleep(_TELL_PAUSE)
        return {}

    def _described(self, variant: Variant) -> dict[str, Any]:
        """Return a variant as DescribeEndpoint gives it."""
        weight = self._shape.weights[variant.name]
        images = [self._image(one.image) for one in variant.containers]
        found = {"VariantName": variant.name, "CurrentWeight": weight, "DesiredWeight": weight}
        found |= {"DeployedImages": images} if images else {}
        if variant.serverless:
            serverless = dict(variant.serverless)
            return found | {"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
        current = sum(one.variant.name == variant.name for one in self._live)
        return found | {"CurrentInstanceCount": current, "DesiredInstanceCount": self._shape.counts[variant.name]}

    def _image(self, image: str) -> dict[str, Any]:
        if image not in self._images:
            resolved = self._machines.resolved(image)
            self._images[image] = {"SpecifiedImage": image, "ResolvedImage": resolved, "ResolutionTime": time.time()}
        return self._images[image]

    def _fetch(self, rest: str) -> None:
        """Bring one of many models to an instance, for the plane to have it loaded."""
        wish, error = json.loads(rest), ""
        try:
            there = (one for one in [*self._live, *self._leaving] if one.id == wish["instance"])
            instance = next(there, None)
            if instance is None:
                raise Failed("The instance is gone.")
            self._fleet.fetch(instance, wish["target"])
        except Failed as problem:
            error = str(problem)
        params = {"name": self._work.order.name, "region": self._work.order.region}
        self._ask("fetched", params | {"ticket": wish["ticket"], "error": error})
