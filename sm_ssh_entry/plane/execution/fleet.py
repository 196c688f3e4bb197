"""The instances of an endpoint: started until they answer pings, watched, stopped as the service stops them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane import container_job, jobs, kinds, serving
from sm_ssh_entry.plane.execution import model_data
from sm_ssh_entry.plane.execution.machines import Machines, Started, Wish, stream_of
from sm_ssh_entry.plane.execution.variants import Served, Variant
from sm_ssh_entry.plane.execution.work import GONE, Failed, Stopped, Work
from sm_ssh_entry.plane.in_service import name_of
from sm_ssh_entry.plane.log_shipping import Shipper

_OK = 200
_PAUSE = 0.1
_STOP_SECONDS = container_job.STOP_SECONDS["inference"]
# Enough for what one machine runs; a thread that starts a process has to live as long as that.
_THREADS = 32


@dataclass(eq=False)
class Instance:
    """One instance of a variant.

    Attributes:
        id: as EC2 gives it to a machine.
        variant: what it is of.
        started: its containers, in the variant's order.
        ended: set when one of them has ended.
    """

    id: str
    variant: Variant
    started: list[Started]
    ended: threading.Event

    def told(self) -> dict[str, Any]:
        """Return what the plane has to know of it."""
        return {
            "id": self.id,
            "variant": self.variant.name,
            "mode": self.variant.mode,
            "containers": [
                {"label": served.label, "where": one.where, "models": one.models}
                for served, one in zip(self.variant.containers, self.started, strict=True)
            ],
        }


class Fleet:
    """Starts and stops instances.

    Args:
        work: the endpoint's order.
        machines: what they run on.
        shipper: takes their logs.
        folder: where their models are.
        ended: told of an instance one of whose containers has ended.

    Attributes:
        gone: the names of containers that have ended; whoever has told of them empties it.
    """

    def __init__(
        self, work: Work, machines: Machines, shipper: Shipper, folder: Path, ended: Callable[[Instance], object]
    ) -> None:
        self._work, self._machines, self._shipper = work, machines, shipper
        self._folder, self._ended = folder, ended
        self._lock = threading.Lock()
        # One for each model's definition: instances share its folder, which none of them can write to.
        self._fetching: dict[str, threading.Lock] = {}
        self.gone: list[str] = []
        self._pool = ThreadPoolExecutor(_THREADS)

    def start(self, wanted: Sequence[Variant]) -> list[Instance]:
        """Start one instance of each variant given, all at once, and return them when all answer pings.

        Args:
            wanted: variants, each as often as it is to have instances.

        Raises:
            Failed: one of them does not; none is left.
            Stopped: the endpoint is to end; none is left.
        """
        tasks = [self._pool.submit(self._start, variant) for variant in wanted]
        made, problems = [], []
        for task in tasks:
            try:
                made.append(task.result())
            except (Failed, Stopped) as error:
                problems.append(error)
        if problems:
            self.stop(made)
            # A stop is what everybody else was stopped by.
            raise next((one for one in problems if isinstance(one, Stopped)), problems[0])
        return made

    def stop(self, instances: Sequence[Instance]) -> None:
        """Stop instances as the service does: SIGTERM, 30 s, SIGKILL.

        Args:
            instances: those that nobody is sent to any more.
        """
        started = [one for instance in instances for one in instance.started]
        for instance in instances:
            # Its end is no surprise.
            instance.ended.set()
        for done in [self._pool.submit(self._end, one) for one in started]:
            done.result()

    def fetch(self, instance: Instance, target: str) -> None:
        """Bring one of many models to an instance.

        Args:
            instance: one with a multi-model container.
            target: TargetModel.

        Raises:
            Failed: there is no such artifact, or it cannot be unpacked.
        """
        served = next(one for one in instance.variant.containers if one.multi_model)
        folder = self._models(served)
        with self._lock:
            lock = self._fetching.setdefault(str(folder / target), threading.Lock())
        with lock:
            model_data.fetch_one(self._work.s3, served.definition, target, folder)

    def _start(self, variant: Variant) -> Instance:
        instance = Instance(kinds.new_instance(), variant, [], threading.Event())
        try:
            for number, served in enumerate(variant.containers, 1):
                self._check()
                folders = self._folders(served, number)
                group, stream = stream_of(self._work.order.name, variant, instance.id, served)
                name = instance.id if len(variant.containers) == 1 else f"{instance.id}-{number}"
                log = self._shipper.stream(group, stream)
                instance.started.append(self._machines.start(Wish(name, variant, served, folders, log)))
            for one in instance.started:
                threading.Thread(target=self._watch, args=(instance, one), name=instance.id, daemon=True).start()
            self._ping(instance)
        except BaseException as error:
            instance.ended.set()
            for one in instance.started:
                self._end(one, seconds=0.0)
            if isinstance(error, SmSshError):
                # The engine's or the plane's doing, not the model's.
                raise Failed(f"InternalServerError: {error.message}") from error
            raise
        return instance

    def _ping(self, instance: Instance) -> None:
        variant = instance.variant
        deadline = time.monotonic() + variant.ping_seconds
        for served, one in zip(variant.containers, instance.started, strict=True):
            while serving.ping(one.where) != _OK:
                self._check()
                if instance.ended.wait(_PAUSE) or time.monotonic() > deadline:
                    which = "primary" if served.label == "primary" else served.label
                    raise Failed(
                        f"The {which} container for production variant {variant.name} did not pass the ping health "
                        "check. Please check CloudWatch logs for this endpoint."
                    )

    def _check(self) -> None:
        if self._work.stopping:
            raise Stopped(self._work.stopping)

    def _watch(self, instance: Instance, one: Started) -> None:
        status = one.node.wait()
        if not instance.ended.is_set():
            instance.ended.set()
            self._work.say(f"{one.node.name} of {instance.variant.name} has ended with status {status}")
            self._ended(instance)

    def _end(self, one: Started, seconds: float = _STOP_SECONDS) -> None:
        """End a container and remove it; its log is complete then."""
        over = threading.Event()

        def wait() -> None:
            one.node.wait()
            over.set()

        threading.Thread(target=wait, name="end", daemon=True).start()
        if seconds and self._work.stopping != GONE:
            one.node.stop()
            over.wait(seconds)
        if not over.is_set():
            one.node.kill()
            over.wait()
        self.gone.append(one.node.name)
        one.log.join(timeout=jobs.LOG_SECONDS)
        one.forget()

    def _folders(self, served: Served, number: int) -> dict[str, Path]:
        """Return what belongs below a container's /opt/ml; downloaded for the first who needs it."""
        folder = self._home(served)
        with self._lock:
            lock = self._fetching.setdefault(str(folder), threading.Lock())
        with lock:
            partial = folder.with_name(f"{folder.name}.partial")
            if not folder.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
                model_data.fetch(self._work.s3, served.definition, partial, container=f"container_{number}")
                partial.rename(folder)
        found = model_data.places(served.definition, folder)
        if served.multi_model:
            found["models"] = self._models(served)
        return found

    def _models(self, served: Served) -> Path:
        folder = self._home(served) / "models"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _home(self, served: Served) -> Path:
        return self._folder / name_of(repr(sorted(served.definition.items(), key=lambda pair: pair[0])))
