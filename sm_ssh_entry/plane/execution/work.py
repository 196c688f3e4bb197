"""What a runner has to work with: its order, what it is told meanwhile, the plane's S3, the record that it keeps."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from sm_ssh_entry import aws, engine
from sm_ssh_entry.errors import BadInput, NotFound, PlaneDown, ServiceError, SmSshError, ToolMissing
from sm_ssh_entry.plane import container_job, daemon, jobs, kinds, local_job, running
from sm_ssh_entry.plane.containers import Box
from sm_ssh_entry.plane.environment import client_environment
from sm_ssh_entry.plane.execution import limits, reasons
from sm_ssh_entry.plane.execution.order import INTERRUPT, STOP, Order

# What the plane's end is called among the reasons for a stop, and the end of a job's time.
GONE, OVERTIME = "gone", "overtime"

# As long as STS gives keys for; on the service they are renewed.
_ROLE_SECONDS = 43_200
# How often the record is told how a job stands, and the pause in between, where the plane does not answer.
_NOTE_TRIES = 5
_NOTE_PAUSE = 0.2


class Failed(Exception):
    """What ends a job as Failed; its text is the failure reason as the service words it."""


class Stopped(Exception):
    """A stop was asked for before the containers ran, or after they had."""


class Work:
    """One order under way.

    Args:
        order: the order.
        words: where the desk's words come from, line by line; its end is the plane's.
        prepare: puts our scripts below a root folder, for jobs as processes.

    Attributes:
        stopping: why it is to stop: a word of ``order``, ``GONE`` or ``OVERTIME``; ``""``: it is not.
        happened: the same as ``running.until_end`` takes it.
    """

    def __init__(self, order: Order, words: IO[bytes], prepare: Callable[[str], object]) -> None:
        self.order = order
        self.stopping = ""
        self.happened: running.Events = queue.SimpleQueue()
        self.prepare = prepare
        self._words = words
        self._others: dict[str, Callable[[str], object]] = {}
        self._timer: threading.Timer | None = None
        self._began = 0
        threading.Thread(target=self._listen, name="desk", daemon=True).start()

    @cached_property
    def s3(self) -> Any:
        """The plane's S3."""
        return self.client("s3")

    def client(self, service: str) -> Any:
        """Return a client of the plane; the runner's environment names it.

        Args:
            service: botocore's name of it.
        """
        return aws.client(service, region=self.order.region)

    def say(self, line: str) -> None:
        """Write a line to the runner's log."""
        print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)

    @property
    def status(self) -> str:
        """What the service calls a job that has not ended: ``InProgress``, or ``Stopping`` where it is to."""
        return "Stopping" if self.stopping else "InProgress"

    def note(self, status: str, *, failure: str = "", secondary: str = "", message: str = "", **members: Any) -> None:
        """Write into the record how it stands; a plane that is gone, or has forgotten the job, has none.

        Args:
            status: AWS's word, ``InProgress`` for one.
            failure: the reason why it failed.
            secondary: a training job's secondary status.
            message: what its transition says.
            members: further members of what Describe answers, ``ModelArtifacts`` for one.
        """
        if self.stopping == GONE:
            # A job of the same name may have been asked for meanwhile.
            return
        order = self.order
        fields: dict[str, Any] = {"kind": order.kind, "name": order.name, "region": order.region}
        fields |= {"job_status": status, "failure": failure, "secondary": secondary, "message": message}
        with contextlib.suppress(ServiceError):
            for _ in range(_NOTE_TRIES):
                with contextlib.suppress(PlaneDown):
                    daemon.ask(order.state, "POST", "jobs", fields | {"members": members})
                    return
                if self.stopping == GONE:
                    return
                # A busy machine's plane may be slow to answer; one that is gone says so on our standard input.
                time.sleep(_NOTE_PAUSE)

    def on(self, word: str, act: Callable[[str], object]) -> None:
        """Have a word of the desk's acted upon, in a thread.

        Args:
            word: its first word.
            act: takes what stands behind it.
        """
        self._others[word] = act

    def stop(self, why: str) -> None:
        """Stop what runs; the first reason counts. The plane's end counts more than any other, and kills.

        Args:
            why: see ``stopping``.
        """
        if why != GONE and self.stopping:
            return
        requests = 1 if self.stopping or why != GONE else 2
        self.stopping = why
        for _ in range(requests):
            self.happened.put(None)

    def limit(self, seconds: float) -> None:
        """Stop what runs when so much time is over.

        Args:
            seconds: from now.
        """
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self.stop, (OVERTIME,))
        self._timer.daemon = True
        self._timer.start()

    def unlimit(self) -> None:
        """Forget the limit."""
        if self._timer is not None:
            self._timer.cancel()

    def forget_requests(self) -> None:
        """Forget requests to stop that came when everything had ended; ``stopping`` says that there were any."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.happened.get_nowait()

    def check(self) -> None:
        """Let a stop happen here.

        Raises:
            Stopped: one was asked for.
        """
        if self.stopping:
            raise Stopped(self.stopping)

    def in_containers(self) -> bool:
        """Whether this machine's engine runs jobs.

        Raises:
            Failed: jobs are to run in containers, and no engine answers.
        """
        if self.order.mode == "processes":
            return False
        try:
            engine.require(hint="")
        except ToolMissing as error:
            if self.order.mode == "containers":
                raise Failed(reasons.internal(error.message)) from error
            return False
        return True

    def place(self, job: jobs.Job) -> local_job.Place:
        """Give a job a folder of its own.

        Args:
            job: the job; its folder is the plane's.

        Raises:
            Failed: it has more nodes than a machine runs.
        """
        if job.nodes > jobs.MAX_NODES:
            raise Failed(f"ClientError: {job.nodes} nodes: the local plane runs {jobs.MAX_NODES} at the most")
        instances = {node: kinds.new_instance() for node in job.node_names}
        placed = dataclasses.replace(job, folder=local_job.new_folder(job))
        # A job that starts again has a log stream of its own.
        self._began = max(self._began + 1, int(time.time()))
        state = dataclasses.replace(self.order.state, region=self.order.region)
        place = local_job.Place(
            placed, state, started=False, arn=self.order.arn, instances=instances, began=self._began
        )
        return dataclasses.replace(place, role=self.role_keys(self.order.request.get("RoleArn", "")))

    def role_keys(self, role: str) -> dict[str, str]:
        """Return the variables of keys of a role, by which its containers are known as on the service.

        Args:
            role: its ARN, of whatever account: here it is the plane's; ``""``: there is none.
        """
        path = role.partition(":role/")[2]
        if not path:
            return {}
        partition, account = self.order.arn.split(":")[1], self.order.arn.split(":")[4]
        with aws.errors_of(region=self.order.region):
            made = self.client("sts").assume_role(
                RoleArn=f"arn:{partition}:iam::{account}:role/{path}",
                RoleSessionName="SageMaker",
                DurationSeconds=_ROLE_SECONDS,
            )["Credentials"]
        names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
        return {name: made[member] for name, member in {**names, "AWS_SESSION_TOKEN": "SessionToken"}.items()}

    def box(self, image: str, **more: Any) -> Box:
        """Return what a job's containers are, within the limits that the plane's environment sets.

        Args:
            image: the request's.
            more: further members.

        Raises:
            Failed: no engine takes such a name, or such a limit.
        """
        try:
            return limits.box(image, os.environ, **more)
        except BadInput as error:
            raise Failed(f"ClientError: {error.message}") from error

    def run(
        self, place: local_job.Place, box: Box | None, listening: Callable[[Mapping[str, str]], object] | None = None
    ) -> running.End:
        """Run a job's nodes to their end.

        Args:
            place: what ``place`` gave, with its channels' folders filled.
            box: what its containers are; None: processes.
            listening: see ``container_job.run_placed``; of no use to processes.

        Raises:
            Failed: there is no such image, or no such program in it.
        """
        out = sys.stdout.buffer
        try:
            if box is None:
                return local_job.run_placed(place, prepare=self.prepare, say=self.say, out=out, happened=self.happened)
            labels = container_job.known(box, self.say)
            return container_job.run_placed(
                place, box, labels, say=self.say, out=out, happened=self.happened, listening=listening
            )
        except NotFound as error:
            raise Failed(reasons.no_image(error.message)) from error
        except BadInput as error:
            said = error.__cause__.message if isinstance(error.__cause__, SmSshError) else error.message
            raise Failed(reasons.cannot_start(said)) from error
        except SmSshError as error:
            raise Failed(reasons.internal(error.message)) from error

    def folder(self) -> Path:
        """Return the plane's folder."""
        return Path(self.order.folder)

    def _listen(self) -> None:
        for line in self._words:
            word, _, rest = line.decode(errors="replace").strip().partition(" ")
            if word == INTERRUPT and word not in self._others:
                self.say("it does not run on spot instances: there is nothing to interrupt")
            elif word in self._others:
                threading.Thread(target=self._others[word], args=(rest,), name=word, daemon=True).start()
            else:
                self.stop(word or STOP)
        self.stop(GONE)


def environment(order: Order) -> dict[str, str]:
    """Return the variables by which this process's AWS clients use the plane.

    Args:
        order: the order.
    """
    state = order.state
    keys = {"AWS_ACCESS_KEY_ID": state.access_key, "AWS_SECRET_ACCESS_KEY": state.secret_key}
    return client_environment(url=state.url, region=order.region, keys=keys)
