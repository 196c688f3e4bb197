"""``sm-ssh local run``: a job on this machine's plane, from its record in SageMaker to its last status.

The path: a plane that runs (one is started where none does, and stopped again) -> the job's record -> its folder ->
its nodes, as cells here or as containers (container_job) -> the record's end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput, PlaneDown, ServiceError
from sm_ssh_entry.plane import daemon, jobs, kinds, running
from sm_ssh_entry.plane.environment import client_environment
from sm_ssh_entry.plane.log_shipping import Shipper

# The agent of machines without the official one; another command line may be named in the environment.
STANDIN_AGENT = (sys.executable, "-I", "-m", "sm_ssh_entry.plane.agent")
# SageMaker keeps this much of the failure file (contract page, section 1.3).
FAILURE_CHARACTERS = 1024


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a job runs.

    Args:
        job: the job, with the folder of this very run.
        state: the plane.
        started: whether the plane was started for it.
        arn: the job's ARN.
        instances: node -> id of its machine.
        began: epoch seconds.
        watch: told each line of a node's output, the node's name first.
        role: the variables of its role's key; ``{}``: the plane's owner's key is its.
    """

    job: jobs.Job
    state: daemon.State
    started: bool
    arn: str
    instances: dict[str, str]
    began: int
    watch: Callable[[str, bytes], object] | None = None
    role: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def keys(self) -> dict[str, str]:
        """The variables of the key that its nodes have."""
        owners = {"AWS_ACCESS_KEY_ID": self.state.access_key, "AWS_SECRET_ACCESS_KEY": self.state.secret_key}
        return dict(self.role) or owners


def default_name() -> str:
    """Return a job name that this second and process have to themselves."""
    return f"local-{time.strftime('%Y-%m-%d-%H-%M-%S')}-{os.getpid()}"


def run(
    job: jobs.Job,
    *,
    prepare: Callable[[str], object],
    say: Callable[[str], None],
    out: IO[bytes],
    stop_seconds: float = jobs.STOP_SECONDS,
) -> int:
    """Run a checked training job as processes and return its exit status.

    Args:
        job: the job; its folder is the plane's, and the job gets one of its own in it.
        prepare: puts our scripts below a root folder.
        say: takes one line for the user.
        out: where the nodes' output goes.
        stop_seconds: how long a stop waits before it kills.

    Raises:
        BadInput: there is no command.
        PlaneDown: no plane runs and none could be started.
        ServiceError: a job of that name runs already.
    """
    if not job.argv:
        raise BadInput("no command to run", hint="sm-ssh local run -- CMD [ARGS]")
    if job.native:
        job = with_port(job)
    with opened(job) as place:
        say(f"job {job.name}, {counted(job.nodes)}, on {place.state.url}, files in {place.job.folder}")
        say(how_to_log_in(place))
        end = run_placed(place, prepare=prepare, say=say, out=out, stop_seconds=stop_seconds)
        close(place, end, say)
    return end.status


def run_placed(
    place: Place,
    *,
    prepare: Callable[[str], object],
    say: Callable[[str], None],
    out: IO[bytes],
    stop_seconds: float = jobs.STOP_SECONDS,
    happened: running.Events | None = None,
) -> running.End:
    """Run the processes of a job that has its record and its folder, and return how they ended.

    Args:
        place: where it runs.
        prepare: puts our scripts below a root folder.
        say: takes one line for the user.
        out: where the nodes' output goes.
        stop_seconds: how long a stop waits before it kills.
        happened: requests to stop; None: this process's signals are.
    """
    placed, state = place.job, place.state
    plane = client_environment(url=state.url, region=state.region, keys=place.keys)
    agent = shlex.split(os.environ.get(contract.AGENT, "")) or STANDIN_AGENT
    environments = {
        node: jobs.environment_of(placed, node, plane=plane, arn=place.arn, agent=agent) for node in placed.node_names
    }
    with Shipper(state) as shipper, _native(place, agent, environments):
        return jobs.run(
            placed,
            arn=place.arn,
            environments=environments,
            prepare=prepare,
            logs=log_takers(place, shipper),
            say=say,
            out=out,
            stop_seconds=stop_seconds,
            happened=happened,
        )


def log_takers(place: Place, shipper: Shipper) -> dict[str, Callable[[bytes], object]]:
    """Return what takes each node's output on its way to CloudWatch Logs; their streams are made.

    Args:
        place: where the job runs.
        shipper: ships the lines.
    """
    takers: dict[str, Callable[[bytes], object]] = {}
    for node, instance in place.instances.items():
        group, stream = kinds.log_stream(place.job, node, arn=place.arn, instance=instance, began=place.began)
        takers[node] = _watched(shipper.stream(group, stream), place.watch, node)
        if place.job.native and place.job.kind != "studio":
            # Here SageMaker's own agent writes, and clients learn an endpoint's instances from its name.
            shipper.stream(group, f"{stream}/ssm")
    return takers


def _watched(
    take: Callable[[bytes], object], watch: Callable[[str, bytes], object] | None, node: str
) -> Callable[[bytes], object]:
    if watch is None:
        return take

    def both(line: bytes) -> None:
        take(line)
        watch(node, line)

    return both


def counted(nodes: int) -> str:
    """Return ``1 node``, ``2 nodes``."""
    return f"{nodes} node{'s' if nodes > 1 else ''}"


def how_to_log_in(place: Place) -> str:
    """Return the line that says how to get into a job."""
    return f'to log in: eval "$(sm-ssh local env)"; sm-ssh connect {kinds.host_name(place.job, place.arn)}'


@contextlib.contextmanager
def opened(job: jobs.Job) -> Iterator[Place]:
    """Give a job its plane, its record in SageMaker and a folder of its own, and take back what was lent.

    Args:
        job: a checked job; its folder is the plane's.

    Raises:
        PlaneDown: no plane runs and none could be started.
        ServiceError: a job of that name runs already.
    """
    job = kinds.with_session(job)
    with _plane(job.folder) as (state, started), _recorded(job, state) as arn:
        instances = {node: kinds.new_instance() for node in job.node_names}
        yield Place(dataclasses.replace(job, folder=new_folder(job)), state, started, arn, instances, int(time.time()))


def close(place: Place, end: running.End, say: Callable[[str], None]) -> None:
    """Record how the job ended, and say so. A plane that was stopped meanwhile has nobody left to tell.

    Args:
        place: what ``opened`` gave.
        end: how it ended.
        say: takes one line for the user.
    """
    ended = "Stopped" if end.stopped else "Failed" if end.status else "Completed"
    note(place.job, place.state, ended, _failure(place.job) if ended == "Failed" else "")
    status = f" with status {end.status}" if end.status else ""
    say(f"job {place.job.name}: {ended}{status} after {time.time() - place.began:.0f} s, files in {place.job.folder}")


def note(job: jobs.Job, state: daemon.State, status: str, failure: str = "") -> None:
    """Tell the plane how a job stands.

    Args:
        job: the job.
        state: the plane.
        status: AWS's word, ``Stopped`` for one.
        failure: why it failed.
    """
    with contextlib.suppress(PlaneDown, ServiceError):
        daemon.ask(state, "POST", "jobs", _key(job, state) | {"job_status": status, "failure": failure})


@contextlib.contextmanager
def _plane(where: Path) -> Iterator[tuple[daemon.State, bool]]:
    """Use the plane that runs; start one where none does, and stop it again."""
    state = daemon.running(where)
    if state is not None:
        yield state, False
        return
    state = daemon.start(where)
    try:
        yield state, True
    finally:
        daemon.stop(where)


@contextlib.contextmanager
def _recorded(job: jobs.Job, state: daemon.State) -> Iterator[str]:
    """Have SageMaker know the job while it runs; gives its ARN."""
    fields = {"nodes": job.nodes, "native": job.native, "request": {"Environment": kinds.requested(job)}}
    record = daemon.ask(state, "POST", "jobs", _key(job, state) | fields)
    try:
        yield str(record["arn"])
    except BaseException:
        note(job, state, "Stopped")
        raise


def _key(job: jobs.Job, state: daemon.State) -> dict[str, object]:
    return {"kind": job.kind, "name": job.name, "region": state.region}


def _failure(job: jobs.Job) -> str:
    """Return what the first node that says why wrote into the file that SageMaker reads; only jobs have one."""
    for node in job.node_names if job.kind in kinds.JOBS else ():
        failure = contract.Paths(str(job.root(node))).failure
        file = failure if job.kind == "training" else failure.with_name("message")
        with contextlib.suppress(OSError):
            return file.read_text(encoding="utf-8", errors="replace")[:FAILURE_CHARACTERS]
    return ""


def with_port(job: jobs.Job) -> jobs.Job:
    """Fix sshd's port, which clients learn from the job's description where there is no node with tags.

    Args:
        job: a job with SageMaker's own way in.

    Raises:
        BadInput: there is more than one node, and one port.
    """
    if job.nodes > 1:
        raise BadInput("--native with several nodes needs containers", hint="--image TAG, or --nodes 1")
    if contract.SSH_PORT in job.environment:
        return job
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    return dataclasses.replace(job, environment={contract.SSH_PORT: port, **job.environment})


@contextlib.contextmanager
def _native(place: Place, agent: Sequence[str], environments: Mapping[str, Mapping[str, str]]) -> Iterator[None]:
    """Have SageMaker's own agent beside each node, where that way is switched on."""
    job = place.job
    if not job.native:
        yield
        return
    targets, port = {}, int(job.environment[contract.SSH_PORT])
    for node, instance in place.instances.items():
        root = job.folder / "native" / node
        root.mkdir(parents=True, mode=0o700)
        targets[str(root)] = kinds.target(job, node, arn=place.arn, instance=instance)
    from sm_ssh_entry.plane import native_agent

    environment = environments[job.node_names[0]]
    with native_agent.running(place.state, targets, port, agent=agent, environment=environment):
        yield


def new_folder(job: jobs.Job) -> Path:
    """Make the folder of this run: an earlier run of the same name keeps its own, with the model that it wrote."""
    folder = job.folder / "jobs" / job.name
    number = 1
    while True:
        with contextlib.suppress(FileExistsError):
            (folder / str(number)).mkdir(mode=0o700, parents=True)
            return folder / str(number)
        number += 1
