"""Where the containers of an endpoint run: on the engine, or as processes of this machine."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sm_ssh_entry import contract, engine
from sm_ssh_entry.errors import BadInput, NotFound, SmSshError
from sm_ssh_entry.plane import container_job, containers, jobs, local_job, opt_ml, running
from sm_ssh_entry.plane.containers import Box, Network, Wanted
from sm_ssh_entry.plane.environment import client_environment
from sm_ssh_entry.plane.execution import limits
from sm_ssh_entry.plane.execution.variants import Served, Variant
from sm_ssh_entry.plane.execution.work import Failed, Work
from sm_ssh_entry.plane.streaming import LineWriter

_MANY_MODELS = "com.amazonaws.sagemaker.capabilities.multi-models"
_BINDS_TO_PORT = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
_SERVE = "serve"
_NOWHERE = "127.0.0.1:0"


@dataclass(frozen=True)
class Started:
    """One container that has been started.

    Args:
        node: its first process.
        where: where it listens, as this machine reaches it: ``HOST:PORT``.
        models: what it calls its folder of models; ``""``: it has one model.
        log: follows its output.
        forget: removes what is left of it once it has ended.
    """

    node: running.Node
    where: str
    models: str
    log: threading.Thread
    forget: Callable[[], object]


@dataclass(frozen=True)
class Wish:
    """One container that is to be started.

    Args:
        name: a name that nothing else of the endpoint has.
        variant: the variant of its instance.
        served: what it is.
        folders: place below /opt/ml -> the folder that belongs there.
        log: takes its output.
    """

    name: str
    variant: Variant
    served: Served
    folders: Mapping[str, Path]
    log: Callable[[bytes], object]


class Machines(Protocol):
    """What containers run on."""

    def start(self, wish: Wish) -> Started:
        """Start a container.

        Args:
            wish: what it is.

        Raises:
            Failed: there is no such image, or it cannot be started.
        """

    def resolved(self, image: str) -> str:
        """Return an image's name as Describe gives it once it is deployed.

        Args:
            image: its name.
        """


@contextlib.contextmanager
def opened(work: Work, place: local_job.Place) -> Iterator[Machines]:
    """Give what an endpoint's containers run on; they are gone afterwards.

    Args:
        work: the endpoint's order.
        place: its place.
    """
    if not work.in_containers():
        yield _Processes(work, place)
        return
    from sm_ssh_entry.plane import warden

    with warden.watched(place, container_job.STOP_SECONDS["inference"]):
        made = _Containers(work, place)
        yield made
        for box in made.boxes.values():
            containers.give_back(box, place.job.folder)


class _Containers:
    """Containers of the endpoint on networks of its own: one for those who reach the plane, one for all others."""

    def __init__(self, work: Work, place: local_job.Place) -> None:
        self._work, self._place = work, place
        self._writer = LineWriter(sys.stdout.buffer)
        self._lock = threading.Lock()
        self._networks: dict[bool, Network] = {}
        self.boxes: dict[str, Box] = {}

    def start(self, wish: Wish) -> Started:
        """See ``Machines``."""
        served, variant, state = wish.served, wish.variant, self._place.state
        box = self._box(wish)
        labels = self._labels(box, wish)
        network = self._network(variant.isolated)
        plane = {}
        if not variant.isolated:
            plane = container_job.reachable_plane(state, network, labels) | self._work.role_keys(variant.role)
        ml = self._place.job.root(wish.name) / "opt" / "ml"
        opt_ml.lay_out_serving(ml, multi_model=served.multi_model)
        for point in wish.folders:
            (ml / point).mkdir(parents=True, exist_ok=True)
        opt_ml.open_to_all(ml)
        mounts = [(ml, "/opt/ml", False)]
        mounts += [(source, f"/opt/ml/{point}", True) for point, source in wish.folders.items()]
        environment = {**plane, **(served.definition.get("Environment") or {}), **variant.environment(served)}
        mounts += container_job.certificates(state, plane)
        wanted = Wanted(wish.name, (_SERVE,), "", environment, mounts, served.port)
        published = not variant.isolated
        made = containers.create(wanted, box, network, self._place.job.folder, published=published)
        try:
            containers.start(made, box)
        except (BadInput, engine.EngineFailed) as error:
            self._work.say(str(error))
            containers.discard(made)
            raise Failed(
                f"CannotStartContainerError. Please ensure the model container for variant {variant.name} starts "
                "correctly when invoked with 'docker run <image> serve'"
            ) from error
        node = container_job.followed(wish.name, made, self._writer, f"{wish.name} | ", wish.log)
        where = _where(made, served.port, published=published)
        models = "/opt/ml/models" if served.multi_model else ""
        return Started(node, where, models, node.log, lambda: containers.discard(made))

    def resolved(self, image: str) -> str:
        """See ``Machines``."""
        with contextlib.suppress(SmSshError):
            found = engine.inspect(image)
            digests = found.get("RepoDigests") or ()
            return str(digests[0]) if digests else f"{image.rpartition(':')[0] or image}@{found['Id']}"
        return image

    def _box(self, wish: Wish) -> Box:
        try:
            made = limits.box(wish.served.image, os.environ, multi_model=wish.served.multi_model)
        except BadInput as error:
            raise Failed(f"ClientError: {error.message}") from error
        serverless = wish.variant.serverless
        return replace(made, memory=f"{serverless['MemorySizeInMB']}m") if serverless else made

    def _labels(self, box: Box, wish: Wish) -> dict[str, str]:
        try:
            labels = container_job.known(box, self._work.say)
        except NotFound as error:
            raise Failed(f"The image '{box.image}' does not exist.") from error
        except SmSshError as error:
            raise Failed(f"InternalServerError: {error.message}") from error
        self.boxes.setdefault(box.image, box)
        several = len(wish.variant.containers) > 1
        for needed, label in ((wish.served.multi_model, _MANY_MODELS), (several, _BINDS_TO_PORT)):
            if needed and labels.get(label) != "true":
                raise Failed(f"Your Ecr Image {box.image} does not contain required {label}=true Docker label(s).")
        return labels

    def _network(self, isolated: bool) -> Network:
        with self._lock:
            if isolated not in self._networks:
                job = self._place.job
                # The plane has to reach an isolated container, which is told nothing of the plane.
                self._networks[isolated] = containers.make_network(job.name, job.folder, internet=not isolated)
            return self._networks[isolated]


def _where(container: str, port: int, *, published: bool) -> str:
    """Return where a container is reached; of one that has ended already, where nobody listens."""
    with contextlib.suppress(engine.EngineFailed, IndexError):
        found = containers.published(container, port) if published else container_job.serving_address(container, port)
        return found if not found.startswith(":") else _NOWHERE
    return _NOWHERE


class _Processes:
    """Processes, each below a root folder: the program ``serve`` of the caller's PATH, on a port of its own."""

    def __init__(self, work: Work, place: local_job.Place) -> None:
        self._work, self._place = work, place
        self._writer = LineWriter(sys.stdout.buffer)

    def start(self, wish: Wish) -> Started:
        """See ``Machines``."""
        job, state, served = self._place.job, self._place.state, wish.served
        if shutil.which(_SERVE) is None:
            raise Failed(
                f"No container engine answers here, and there is no program {_SERVE} on PATH to run in place of the "
                f"image {served.image}"
            )
        root = job.root(wish.name)
        ml = root / "opt" / "ml"
        opt_ml.lay_out_serving(ml, multi_model=served.multi_model)
        for point, source in wish.folders.items():
            link = ml / point
            link.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                link.rmdir()
            link.symlink_to(source, target_is_directory=True)
        self._work.prepare(str(root))
        keys = self._work.role_keys(wish.variant.role) or self._place.keys
        plane = client_environment(url=state.url, region=state.region, keys=keys)
        agent = shlex.split(os.environ.get(contract.AGENT, "")) or local_job.STANDIN_AGENT
        port = str(_free_port())
        environment = jobs.environment_of(job, wish.name, plane=plane, arn=self._place.arn, agent=agent)
        environment |= {**(served.definition.get("Environment") or {}), **wish.variant.environment(served)}
        # Here all share one address: everyone has a port of its own, as in a pipeline.
        environment["SAGEMAKER_BIND_TO_PORT"] = port
        node = jobs.start_node(job, wish.name, environment, self._writer, wish.log)
        models = str(ml / "models") if served.multi_model else ""
        return Started(node, f"127.0.0.1:{port}", models, node.log, lambda: None)

    def resolved(self, image: str) -> str:
        """See ``Machines``."""
        return image


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def job_of(work: Work) -> jobs.Job:
    """Return an endpoint as a job, for its place.

    Args:
        work: its order.
    """
    return jobs.Job(work.order.name, (_SERVE,), work.folder(), kind="inference", submitted=True)


def stream_of(name: str, variant: Variant, instance: str, served: Served) -> tuple[str, str]:
    """Return the CloudWatch Logs group and stream of a container.

    Args:
        name: the endpoint's.
        variant: its variant.
        instance: id of its instance.
        served: which of the instance's containers.
    """
    own = f"/{served.label}" if len(variant.containers) > 1 else ""
    return f"/aws/sagemaker/Endpoints/{name}", f"{variant.name}/{instance}{own}"
