"""What a job in containers is made of on the engine: one network, one container for each node, a label on all of it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sm_ssh_entry import engine
from sm_ssh_entry.errors import BadInput, SmSshError, ToolMissing
from sm_ssh_entry.plane.environment import NETWORK_NAME

# On every container and network of ours; its value is the job's folder, which one run has to itself.
LABEL = "sm-ssh.job"
PROCESS_WAY = "to run the job as processes, without an engine: sm-ssh local run -- CMD"
SERVING_PORT = 8080
_IMAGE = re.compile(r"[A-Za-z0-9][^\s]*")
_SIZE = re.compile(r"[0-9]+[bkmg]?", re.IGNORECASE)
_GPUS = re.compile(r"all|[0-9]{1,3}")
# What an entry of an env file cannot hold: line ends, and lines longer than the client's buffer of 64 KiB.
_FILE_ENTRY = re.compile(r"[^\r\n]{0,60000}")
# What a removed container's status counts as: it was killed.
_REMOVED = 137


@dataclass(frozen=True)
class Box:
    """What the containers of a job are.

    Args:
        image: tag or id.
        cpus: processors of a node; None: all.
        memory: memory of a node, ``4g``; ``""``: no limit.
        shm_size: size of /dev/shm; ``""``: the engine's own.
        gpus: ``all`` or a number; ``""``: none.
        port: port on loopback for an endpoint; 0: any free one.
        internet: whether anything but the plane can be reached.
        multi_model: whether an endpoint has many models.
        isolated: whether not even the plane is: ``EnableNetworkIsolation``.
    """

    image: str
    cpus: float | None = None
    memory: str = ""
    shm_size: str = ""
    gpus: str = ""
    port: int = 0
    internet: bool = True
    multi_model: bool = False
    isolated: bool = False

    def limits(self) -> list[str]:
        """Return the options that limit a container."""
        pairs = {"--cpus": f"{self.cpus:g}" if self.cpus else "", "--memory": self.memory}
        pairs |= {"--shm-size": self.shm_size, "--gpus": self.gpus}
        return [word for name, value in pairs.items() if value for word in (name, value)]


@dataclass(frozen=True)
class Network:
    """A job's network: its name, and the host's own address in it."""

    name: str
    gateway: str


@dataclass(frozen=True)
class Wanted:
    """One container to be made.

    Args:
        node: its host name, ``algo-1``.
        words: what stands behind the image.
        entrypoint: what replaces the image's own; ``""``: nothing does.
        environment: its variables.
        mounts: (source, target, whether it is read-only).
        port: where it serves, if it does.
    """

    node: str
    words: Sequence[str] = ()
    entrypoint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    mounts: Sequence[tuple[Path, str, bool]] = ()
    port: int = SERVING_PORT


def checked(box: Box) -> Box:
    """Return the box, or say in one line what no engine takes.

    Raises:
        BadInput: the name or a limit is malformed, or a port and no internet exclude each other.
    """
    if not _IMAGE.fullmatch(box.image):
        # What begins with a dash would be one of the client's own options.
        raise BadInput(f"{box.image!r} cannot name an image")
    for option, value in (("--memory", box.memory), ("--shm-size", box.shm_size)):
        if value and not _SIZE.fullmatch(value):
            raise BadInput(f"{option} {value!r} is not a size", hint=f"a number with b, k, m or g: {option} 4g")
    if box.gpus and not _GPUS.fullmatch(box.gpus):
        raise BadInput(f"--gpus {box.gpus!r} is neither a number nor all")
    if box.port and not box.internet:
        raise BadInput("--port needs a network with internet", hint="without it the endpoint's own address is printed")
    return box


def make_network(job: str, folder: Path, *, internet: bool, isolated: bool = False) -> Network:
    """Make a job's network.

    Without a way out there is the host's own address in it and nothing else: the plane, and whatever else this machine
    serves on all of its addresses.

    Args:
        job: the job's name.
        folder: the job's folder.
        internet: whether it has a way out.
        isolated: whether not even the host's address is in it, but the job's containers alone.

    Raises:
        EngineFailed: the engine refuses.
    """
    name = f"sm-ssh-{job}-{secrets.token_hex(3)}"
    inner = [] if internet and not isolated else ["--internal"]
    # The host then takes no address on its end of the network.
    inner += ["--opt", "com.docker.network.bridge.inhibit_ipv4=true"] if isolated else []
    engine.docker("network", "create", *inner, "--label", f"{LABEL}={folder}", name)
    ranges = json.loads(engine.docker("network", "inspect", "--format", "{{json .IPAM.Config}}", name))
    gateways = [str(one.get("Gateway", "")).partition("/")[0] for one in ranges or []]
    for gateway in gateways:
        with contextlib.suppress(ValueError):
            return Network(name, str(ipaddress.IPv4Address(gateway)))
    raise engine.EngineFailed("the engine's networks have no IPv4 gateway", hint=PROCESS_WAY)


def create(wanted: Wanted, box: Box, network: Network, folder: Path, *, published: bool) -> str:
    """Make one container, not started yet, and return its id.

    Args:
        wanted: what it is.
        box: image and limits.
        network: the job's network.
        folder: the job's folder.
        published: whether its serving port gets one on loopback.

    Raises:
        EngineFailed: the engine refuses.
    """
    file = {name: value for name, value in wanted.environment.items() if _FILE_ENTRY.fullmatch(value)}
    odd = {name: value for name, value in wanted.environment.items() if name not in file}
    words = ["--hostname", wanted.node, "--network", network.name, "--network-alias", wanted.node]
    words += ["--name", f"{network.name}-{wanted.node}", "--add-host", f"{NETWORK_NAME}:{network.gateway}"]
    words += ["--label", f"{LABEL}={folder}", "--stop-signal", "SIGTERM", "--pull", "never", *box.limits()]
    # Values may be secrets: they go through a pipe or the client's own environment, never through its arguments.
    words += ["--env-file", "/dev/stdin", *(word for name in odd for word in ("--env", name))]
    words += [word for mount in wanted.mounts for word in ("--mount", _mount(*mount))]
    words += ["--publish", f"127.0.0.1:{box.port or ''}:{wanted.port}"] if published else []
    words += ["--entrypoint", wanted.entrypoint] if wanted.entrypoint else []
    entries = "".join(f"{name}={value}\n" for name, value in file.items())
    return engine.docker("create", *words, box.image, *wanted.words, stdin=entries, env=odd).strip()


def start(container: str, box: Box) -> None:
    """Start a container.

    Args:
        container: its id.
        box: what it was made of.

    Raises:
        ToolMissing: the engine has no GPUs.
        BadInput: the image has no such program.
        EngineFailed: the engine refuses.
    """
    try:
        engine.docker("start", container)
    except engine.EngineFailed as error:
        if "could not select device driver" in error.message:
            hint = "install the NVIDIA container toolkit for the engine, or leave --gpus out"
            raise ToolMissing("the container engine has no GPUs to give", hint=hint) from error
        if missing := re.search(r'exec: "([^"]+)": .*(not found|no such file)', error.message):
            hint = "name a command behind --, or the right --kind"
            raise BadInput(f"the image {box.image} has no program {missing[1]}", hint=hint) from error
        raise


def status(container: str) -> int:
    """Wait for a container's end and return its exit status; a removed one counts as killed."""
    waiting, output = engine.spawn("wait", container)
    with output:
        said = output.read().decode(errors="replace").strip()
    waiting.wait()
    return int(said) if said.isdecimal() else _REMOVED


def ran_out_of_memory(container: str) -> bool:
    """Say whether the kernel killed a process of a container that has ended for its memory."""
    with contextlib.suppress(engine.EngineFailed):
        return engine.docker("inspect", "--format", "{{.State.OOMKilled}}", container).strip() == "true"
    return False


def send(container: str, signal: str) -> None:
    """Send a signal to a container's first process; one that has ended needs none.

    Args:
        container: its id.
        signal: the signal's name.
    """
    with contextlib.suppress(engine.EngineFailed):
        engine.docker("kill", "--signal", signal, container)


def address(container: str) -> str:
    """Return a container's own address in its network."""
    return engine.docker(
        "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container
    ).strip()


def published(container: str, port: int = SERVING_PORT) -> str:
    """Return where on this machine a container's serving port is: ``127.0.0.1:PORT``."""
    return engine.docker("port", container, str(port)).split()[0]


def discard(container: str) -> None:
    """Remove one container, running or not; one that is gone needs no removal.

    Args:
        container: its id.
    """
    with contextlib.suppress(engine.EngineFailed):
        engine.docker("rm", "--force", "--volumes", container)


def give_back(box: Box, folder: Path) -> None:
    """Make files that containers wrote as root the user's own, who could neither read nor remove some of them.

    Best effort: it needs the image's chown.

    Args:
        box: what the containers were made of.
        folder: the job's folder.
    """
    user = os.geteuid()
    if all(path.lstat().st_uid == user for path in folder.rglob("*")):
        return
    words = ["--rm", "--pull", "never", "--network", "none", "--user", "0:0", "--label", f"{LABEL}={folder}"]
    words += ["--mount", _mount(folder, "/mnt", readonly=False), "--entrypoint", "/bin/chown"]
    with contextlib.suppress(engine.EngineFailed):
        engine.docker("run", *words, box.image, "--recursive", "--no-dereference", f"{user}:{os.getegid()}", "/mnt")


def folders() -> set[str]:
    """Return the folders of all jobs that have anything on the engine."""
    show = ("--filter", f"label={LABEL}", "--format", '{{.Label "' + LABEL + '"}}')
    found = engine.docker("ps", "--all", *show) + engine.docker("network", "ls", *show)
    return {line for line in found.splitlines() if line}


def stop(folder: str, seconds: float) -> None:
    """Stop a job's containers that run: SIGTERM, then SIGKILL.

    Args:
        folder: the job's.
        seconds: in between.
    """
    left = engine.docker("ps", "--quiet", "--filter", f"label={LABEL}={folder}").split()
    if left:
        # One that ends by itself meanwhile is an error to the client, not to us.
        with contextlib.suppress(engine.EngineFailed):
            engine.docker("stop", "--time", str(int(seconds)), *left)


def gateways(folder: str) -> list[str]:
    """Return the host's own addresses in a job's networks."""
    return [
        gateway
        for network in _networks(folder)
        for gateway in engine.docker(
            "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}", network
        ).split()
    ]


def remove(folder: str) -> None:
    """Remove all that a job has on the engine, running or not.

    Args:
        folder: the job's.

    Raises:
        SmSshError: something could not be removed.
    """
    problem: SmSshError | None = None
    made = engine.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={folder}").split()
    for words in (("rm", "--force", "--volumes", *made), ("network", "rm", *_networks(folder))):
        if words[-1] in {"--volumes", "rm"}:
            continue
        try:
            engine.docker(*words)
        except engine.EngineFailed as error:
            problem = error
    if problem is not None:
        raise problem


def _networks(folder: str) -> list[str]:
    return engine.docker("network", "ls", "--quiet", "--filter", f"label={LABEL}={folder}").split()


def _mount(source: Path, target: str, readonly: bool) -> str:
    fields = ["type=bind", f"source={source}", f"target={target}", *(["readonly"] if readonly else [])]
    # The client reads this as one line of CSV: a comma or a quote in a folder's name is quoted as there.
    return ",".join('"' + one.replace('"', '""') + '"' if re.search(r'[",\n]', one) else one for one in fields)
