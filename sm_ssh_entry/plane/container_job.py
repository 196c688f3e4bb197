"""A job on the local plane in containers: one for each node, on a network of the job's own.

The path: an engine and an image -> a plane and the job's record -> a network, and the plane listening on it -> /opt/ml
and the environment of each node -> containers created, started, followed -> the end of all, as SageMaker ends them.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from sm_ssh_entry import contract, engine
from sm_ssh_entry.errors import BadInput, ServiceError, ToolMissing
from sm_ssh_entry.plane import containers, daemon, jobs, kinds, local_job, opt_ml, running
from sm_ssh_entry.plane.containers import Box, Network, Wanted
from sm_ssh_entry.plane.environment import NETWORK_NAME, client_environment
from sm_ssh_entry.plane.log_shipping import Shipper
from sm_ssh_entry.plane.streaming import LineWriter, follow

# What SageMaker's own stop leaves a container (contract page, section 1.3); for processing nobody says.
STOP_SECONDS = {"training": 120.0, "processing": 120.0, "transform": 30.0, "inference": 30.0, "studio": 30.0}
# Labels of an image with our layer: its version, and whose agent is inside.
LAYER = "sm-ssh.version"
AGENT = "sm-ssh.agent"
_WORDS: Mapping[str, tuple[str, ...]] = {"training": ("train",), "inference": ("serve",), "transform": ("serve",)}
_BUNDLE = "/etc/sm-ssh-plane.pem"
_PARALLEL = 8


@dataclass(frozen=True)
class ContainerNode:
    """One running node: its name, its container's id, and the thread that follows its log."""

    name: str
    container: str
    log: threading.Thread

    def wait(self) -> int:
        """Wait for its end and return its exit status."""
        return containers.status(self.container)

    def stop(self) -> None:
        """Send SIGTERM to its first process."""
        containers.send(self.container, "TERM")

    def kill(self) -> None:
        """Send SIGKILL to its first process, which ends all the others."""
        containers.send(self.container, "KILL")


def run(job: jobs.Job, box: Box, *, say: Callable[[str], None], out: IO[bytes]) -> int:
    """Run a checked job and return its exit status: the first failed node's, else 0.

    Args:
        job: the job; its folder is the plane's, and the job gets one of its own in it.
        box: what its containers are, checked.
        say: takes one line for the user.
        out: where the nodes' output goes, each line behind the node's name.

    Raises:
        ToolMissing: there is no engine, or it is not on this machine.
        NotFound: it has no such image.
        BadInput: the job has what an endpoint cannot have.
        PlaneDown: no plane runs and none could be started.
        ServiceError: a job of that name runs already.
        EngineFailed: the engine refuses, in its own words.
    """
    _check(job, box)
    labels = known(box, say)
    # Not on Windows: it holds a lock of the kernel's.
    from sm_ssh_entry.plane import warden

    if warden.sweep(job.folder):
        say("removed the containers and networks of jobs that had been cut off")
    with local_job.opened(job) as place:
        end = run_placed(place, box, labels, say=say, out=out)
        local_job.close(place, end, say)
    return end.status


def known(box: Box, say: Callable[[str], None]) -> dict[str, str]:
    """Return the labels of an image that an engine on this machine has.

    Args:
        box: what the containers are to be.
        say: told where the image lacks our layer.

    Raises:
        ToolMissing: there is no engine, or it is not on this machine.
        NotFound: it has no such image.
    """
    if sys.platform == "win32":
        raise ToolMissing("a Windows machine's containers run in a virtual machine", hint=containers.PROCESS_WAY)
    engine.require(hint=containers.PROCESS_WAY)
    labels = labels_of(engine.inspect(box.image))
    if LAYER not in labels:
        say(f"WARNING {box.image} lacks the sm-ssh layer (no label {LAYER}): it runs, but nobody can log in")
    return labels


def run_placed(
    place: local_job.Place,
    box: Box,
    labels: Mapping[str, str],
    *,
    say: Callable[[str], None],
    out: IO[bytes],
    happened: running.Events | None = None,
    listening: Callable[[Mapping[str, str]], object] | None = None,
) -> running.End:
    """Run the containers of a job that has its record and its folder, and return how they ended.

    Args:
        place: where it runs.
        box: what its containers are.
        labels: what ``known`` gave.
        say: takes one line for the user.
        out: where the nodes' output goes.
        happened: requests to stop; None: this process's signals are.
        listening: told once, when all have started, where each node's serving port is: ``HOST:PORT`` by node.

    Raises:
        EngineFailed: the engine refuses, in its own words.
    """
    from sm_ssh_entry.plane import warden

    stop_seconds = STOP_SECONDS[place.job.kind]
    with warden.watched(place, stop_seconds), Shipper(place.state) as shipper:
        run = _Run(place, box, labels, say, out=out, shipper=shipper)
        end = run.to_the_end(stop_seconds, happened, listening)
        containers.give_back(box, place.job.folder)
    return end


class _Run:
    """One run: what its steps share."""

    def __init__(
        self,
        place: local_job.Place,
        box: Box,
        labels: Mapping[str, str],
        say: Callable[[str], None],
        *,
        out: IO[bytes],
        shipper: Shipper,
    ) -> None:
        self.place, self.job, self.box, self.labels = place, place.job, box, labels
        self.say, self.writer, self._logs = say, LineWriter(out), local_job.log_takers(place, shipper)

    def to_the_end(
        self,
        stop_seconds: float,
        happened: running.Events | None,
        listening: Callable[[Mapping[str, str]], object] | None,
    ) -> running.End:
        """Take all steps and return how the job ended."""
        job, box = self.job, self.box
        # What serves has to be reached from here.
        alone = box.isolated and job.kind not in kinds.SERVING
        internet = box.internet and not box.isolated
        network = containers.make_network(job.name, job.folder, internet=internet, isolated=alone)
        plane = {} if box.isolated else reachable_plane(self.place.state, network, self.labels) | self.place.keys
        where = f"containers of {box.image}{'' if box.internet else ' without internet'}"
        self.say(f"job {job.name}, {local_job.counted(job.nodes)}, in {where}, files in {job.folder}")
        if LAYER in self.labels:
            self.say(local_job.how_to_log_in(self.place))
        wanted = [self._wanted(node, plane) for node in job.node_names]
        published = job.kind == "inference" and box.internet
        with ThreadPoolExecutor(_PARALLEL) as pool:
            made = list(
                pool.map(lambda one: containers.create(one, box, network, job.folder, published=published), wanted)
            )
            with running.stop_requests(happened) as requests:
                list(pool.map(lambda one: containers.start(one, box), made))
                nodes = [
                    followed(*one, self.writer, job.log_prefix(one[0]), self._logs[one[0]])
                    for one in zip(job.node_names, made, strict=True)
                ]
                if listening is not None:
                    listening({one.name: serving_address(one.container) for one in nodes})
                with ExitStack() as serving:
                    if job.kind == "inference":
                        serving.enter_context(self._pings(made[0], published=published))
                    end = running.until_end(
                        nodes, requests, stop_seconds=stop_seconds, say=self.say, together=job.kind in kinds.SERVING
                    )
        for one in nodes:
            one.log.join(timeout=jobs.LOG_SECONDS)
            if containers.ran_out_of_memory(one.container):
                self.say(f"{one.name} ran out of memory{f': it had {box.memory}' if box.memory else ''}")
                end = dataclasses.replace(end, out_of_memory=True)
        return end

    def _wanted(self, node: str, plane: Mapping[str, str]) -> Wanted:
        """Lay out a node's /opt/ml and return its container."""
        job, box = self.job, self.box
        ml = job.root(node) / "opt" / "ml"
        words, entrypoint = _words(job, layered=LAYER in self.labels)
        image = kinds.Image(box.image, (entrypoint, *words) if entrypoint else (), box.multi_model)
        points = kinds.lay_out(job, node, ml, arn=self.place.arn, interface="eth0", image=image)
        for point in points.values():
            point.mkdir(parents=True, exist_ok=True)
        opt_ml.open_to_all(ml)
        mounts = [(ml, "/opt/ml", False)]
        if job.kind in kinds.SERVING and not box.multi_model and "model" not in job.channels:
            mounts.append((ml / "model", "/opt/ml/model", True))
        mounts += [
            (source.resolve(), f"/opt/ml/{points[name].relative_to(ml)}", True) for name, source in job.channels.items()
        ]
        mounts += [(source.resolve(), target, readonly) for source, target, readonly in job.mounts.get(node, ())]
        mounts += certificates(self.place.state, plane)
        return Wanted(node, words, entrypoint, self._environment(plane), mounts)

    def _environment(self, plane: Mapping[str, str]) -> dict[str, str]:
        job = self.job
        found = kinds.variables(job, self.place.arn)
        if self.box.multi_model:
            found["SAGEMAKER_MULTI_MODEL"] = "true"
        return {**plane, **found, **kinds.requested(job)}

    def _pings(self, container: str, *, published: bool) -> Any:
        from sm_ssh_entry.plane.serving import Pings

        where = containers.published(container) if published else serving_address(container)
        self.say(f"the endpoint's container listens on http://{where}, for this machine only")
        return Pings(where, self.say)


def reachable_plane(state: daemon.State, network: Network, labels: Mapping[str, str]) -> dict[str, str]:
    """Have the plane listen on a network; return the variables by which a container there uses it.

    Args:
        state: the plane.
        network: the network.
        labels: of the container's image.

    Raises:
        ToolMissing: the engine's networks are not on this machine.
    """
    try:
        found = daemon.ask(state, "POST", "listen", {"address": network.gateway})
    except ServiceError as error:
        reason = error.message.removeprefix("the plane refuses: ")
        raise ToolMissing(
            f"the engine's networks are not on this machine, for it is remote, rootless or virtual ({reason})",
            hint=containers.PROCESS_WAY,
        ) from error
    official = labels.get(AGENT, "").startswith("official")
    plane = client_environment(
        url=_by_name(found["url"]),
        region=state.region,
        keys={"AWS_ACCESS_KEY_ID": state.access_key, "AWS_SECRET_ACCESS_KEY": state.secret_key},
        bundle=_BUNDLE if official else "",
    )
    # For a name, SDKs put the bucket's before it, which nobody resolves; for an address they do not.
    plane["AWS_ENDPOINT_URL_S3"] = found["url"]
    # Whatever proxy the engine or the image is set up with: the plane is not behind it.
    plane |= dict.fromkeys(("NO_PROXY", "no_proxy"), f"{NETWORK_NAME},{network.gateway},127.0.0.1,localhost")
    # The official agent's data channel is always TLS.
    return plane | ({contract.MGS_ENDPOINT: _by_name(found["tls_url"])} if official else {})


def certificates(state: daemon.State, plane: Mapping[str, str]) -> list[tuple[Path, str, bool]]:
    """Return the mount of the plane's certificates, where a container's environment names them.

    Args:
        state: the plane.
        plane: what ``reachable_plane`` gave.
    """
    return [(Path(state.bundle_file), _BUNDLE, True)] if "SSL_CERT_FILE" in plane else []


def followed(
    node: str, container: str, writer: LineWriter, prefix: str, seen: Callable[[bytes], object]
) -> ContainerNode:
    """Follow a started container's log and return it as a node.

    Args:
        node: its name.
        container: its id.
        writer: where its lines go.
        prefix: what stands before each of them.
        seen: told each line.
    """
    logs, output = engine.spawn("logs", "--follow", container)
    threading.Thread(target=logs.wait, name=f"logs {node}", daemon=True).start()
    return ContainerNode(node, container, follow(output, writer, prefix, seen=seen))


def serving_address(container: str, port: int = containers.SERVING_PORT) -> str:
    """Return where this machine reaches a port of a container's: ``HOST:PORT``.

    Args:
        container: its id.
        port: the port.
    """
    return f"{containers.address(container)}:{port}"


def labels_of(image: Mapping[str, Any]) -> dict[str, str]:
    """Return an image's labels.

    Args:
        image: what the engine knows of it.
    """
    return dict((image.get("Config") or {}).get("Labels") or {})


def _check(job: jobs.Job, box: Box) -> None:
    if job.kind == "notebook":
        raise BadInput("a notebook instance is no container", hint="leave --image away")
    if job.native:
        raise BadInput("--native is for jobs that run as processes", hint="leave --image away")
    if job.kind != "inference":
        if box.multi_model or box.port:
            raise BadInput(f"{'--multi-model' if box.multi_model else '--port'} is for --kind inference")
        return
    if job.nodes > 1:
        raise BadInput("an endpoint's containers know nothing of each other", hint="--kind inference has one node")
    other = [name for name in job.channels if name != "model"]
    if other and not box.multi_model:
        raise BadInput(
            f"an endpoint has no channel {other[0]}", hint="--channel model=FOLDER, or --multi-model for many models"
        )


def _words(job: jobs.Job, *, layered: bool) -> tuple[Sequence[str], str]:
    """Return the words behind the image and what replaces its entrypoint, as SageMaker starts a container of this kind.

    A processing job's own command replaces the image's entrypoint, and with it ours: ours then stands before it. A
    submitted job runs what its request says, and nothing else.
    """
    if job.submitted:
        words = (*job.entrypoint, *job.argv)
        return (words[1:], words[0]) if job.entrypoint else (words or _WORDS.get(job.kind, ()), "")
    if job.kind != "processing":
        return job.argv or _WORDS.get(job.kind, ()), ""
    if not job.argv:
        return (), ""
    words = (contract.ENTRY, *job.argv) if layered and Path(job.argv[0]).name != Path(contract.ENTRY).name else job.argv
    return words[1:], words[0]


def _by_name(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{NETWORK_NAME}:{parts.port}"
