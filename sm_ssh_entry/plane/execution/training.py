"""A training job: channels from S3, its containers, its model and output to S3, and a status at each step.

One attempt is Starting -> Downloading -> Training -> Uploading. A spot interruption, or a failure of ours where the
request's RetryStrategy says so, begins another one, in new containers with the checkpoints of the last.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from sm_ssh_entry.plane import local_job, running
from sm_ssh_entry.plane.containers import Box
from sm_ssh_entry.plane.execution import channels, checkpoints, clusters, outputs, reasons
from sm_ssh_entry.plane.execution.metrics import Metrics
from sm_ssh_entry.plane.execution.order import INTERRUPT
from sm_ssh_entry.plane.execution.work import OVERTIME, Failed, Stopped, Work
from sm_ssh_entry.plane.jobs import Job
from sm_ssh_entry.plane.local_job import Place

_DAY = 86_400.0
# Secondary status and what its transition says, of a job that was stopped for a time that is over.
_WAITED = "waited"
_ENDS: Mapping[str, tuple[str, str]] = {
    OVERTIME: ("MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided"),
    _WAITED: ("MaxWaitTimeExceeded", "Training job wait time exceeded MaxWaitTimeInSeconds provided"),
}
_STOPPED = ("Stopped", "Training job stopped")


def run(work: Work) -> None:
    """Run a training job to its end.

    Args:
        work: its order.

    Raises:
        Failed: it failed.
        Stopped: it was stopped before it ran.
    """
    _Training(work).to_the_end()


class _Training:
    """One training job under way."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.request: Mapping[str, Any] = work.order.request
        self.algorithm: Mapping[str, Any] = self.request["AlgorithmSpecification"]
        self.spot = bool(self.request.get("EnableManagedSpotTraining"))
        self.limits: Mapping[str, Any] = self.request.get("StoppingCondition") or {}
        self.retries = int((self.request.get("RetryStrategy") or {}).get("MaximumRetryAttempts", 0))
        self.trained = 0.0
        self.interrupted = self.interruptible = False
        try:
            self.metrics = Metrics(self.algorithm.get("MetricDefinitions") or ())
        except ValueError as error:
            raise Failed(f"ClientError: {error}") from error

    def to_the_end(self) -> None:
        """Take attempts until one ends the job."""
        if self.spot:
            self.work.on(INTERRUPT, self._interrupt)
        with self._waiting_for(self.limits.get("MaxWaitTimeInSeconds")):
            try:
                self._attempts()
            except Stopped:
                secondary, message = _ENDS.get(self.work.stopping, _STOPPED)
                self.work.note("Stopped", secondary=secondary, message=message, **self._times())
            except Failed as error:
                self.work.note(
                    "Failed", failure=str(error), secondary="Failed", message="Training job failed", **self._times()
                )

    def _attempts(self) -> None:
        while True:
            try:
                if self._attempt():
                    return
                self.work.note("InProgress", secondary="Interrupted", message="Training job interrupted")
                self.work.check()
                self.work.note("InProgress", secondary="Starting", message="Launching requested ML instances")
            except Failed as error:
                if not self.retries or not reasons.is_internal(str(error)) or self.work.stopping:
                    raise
                self.retries -= 1
                self.work.say(f"trying again: {error}")
                self.work.note("InProgress", secondary="Restarting", message="Restarting the training job")

    def _attempt(self) -> bool:
        """Run the job once; False: a spot interruption has ended it, and it goes on in a new place."""
        work = self.work
        began = time.monotonic()
        work.note("InProgress", secondary="Downloading", message="Downloading input data")
        try:
            box = self._box()
            groups = clusters.groups(self.request["ResourceConfig"])
            place = work.place(self._job(groups, contained=box is not None))
            place = channels.lay(work, place, channels.read(self.request), groups)
            place = dataclasses.replace(checkpoints.lay(work, place), watch=self.metrics.see)
            work.check()
            message = "Training image download completed. Training in progress."
            work.note("InProgress", secondary="Training", message=message)
            end = self._trained(place, box, began)
        finally:
            self.trained += time.monotonic() - began
        if self.interrupted and end.stopped and not work.stopping:
            return False
        self._close(place, end)
        return True

    def _trained(self, place: Place, box: Box | None, began: float) -> running.End:
        """Run the nodes within what is left of the job's time."""
        left = self.limits.get("MaxRuntimeInSeconds", _DAY) - self.trained - (time.monotonic() - began)
        timer = _timer(max(left, 0.0), self._over, OVERTIME)
        self.interrupted, self.interruptible = False, True
        try:
            with checkpoints.copied(self.work, place):
                return self.work.run(place, box)
        finally:
            self.interruptible = False
            timer.cancel()
            self.work.forget_requests()

    def _box(self) -> Box | None:
        isolated = bool(self.request.get("EnableNetworkIsolation"))
        if self.work.in_containers():
            return self.work.box(self.algorithm.get("TrainingImage", ""), isolated=isolated)
        if isolated:
            raise Failed("ClientError: EnableNetworkIsolation needs a container engine on this machine")
        return None

    def _job(self, groups: tuple[Any, ...], *, contained: bool) -> Job:
        entrypoint = tuple(self.algorithm.get("ContainerEntrypoint") or ())
        arguments = tuple(self.algorithm.get("ContainerArguments") or ())
        if not contained and not entrypoint:
            if arguments or shutil.which("train") is None:
                raise Failed(
                    "ClientError: no container engine runs the image: without one the request's ContainerEntrypoint "
                    "is run, or a program train on PATH where it has neither entrypoint nor arguments"
                )
            arguments = ("train",)
        job = Job(
            name=self.work.order.name,
            argv=arguments,
            folder=self.work.folder(),
            nodes=sum(len(group.nodes) for group in groups),
            environment=self.request.get("Environment") or {},
            hyperparameters=self.request.get("HyperParameters") or {},
            submitted=True,
            entrypoint=entrypoint,
            request=self.request,
            groups=groups,
        )
        if (self.request.get("RemoteDebugConfig") or {}).get("EnableRemoteDebug"):
            if not contained and job.nodes == 1:
                return local_job.with_port(dataclasses.replace(job, native=True))
            self.work.say("RemoteDebugConfig: SageMaker's own agent runs beside a job of one node as a process only")
        return job

    def _close(self, place: Place, end: running.End) -> None:
        work = self.work
        members: dict[str, Any] = {"FinalMetricDataList": self.metrics.final()}
        members["ModelArtifacts"] = {"S3ModelArtifacts": outputs.model_uri(self.request, work.order.name)}
        work.note(work.status, secondary="Uploading", message="Uploading generated training model", **members)
        outputs.upload(work, place)
        if end.stopped:
            raise Stopped(work.stopping)
        if end.status:
            text = reasons.algorithm(outputs.failure(place), end.status)
            raise Failed(reasons.OUT_OF_MEMORY if end.out_of_memory else text)
        work.note("Completed", secondary="Completed", message="Training job completed", **self._times())

    def _times(self) -> dict[str, Any]:
        """Return the time for which machines were there; on spot as well, for nobody here knows their price."""
        seconds = math.ceil(self.trained)
        return {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds} if seconds else {}

    def _interrupt(self, _: str) -> None:
        if not self.interruptible or self.interrupted:
            self.work.say("nothing to interrupt: the containers do not run, or are being stopped")
            return
        self.interrupted = True
        self.work.say("spot interruption: SIGTERM, and a new start")
        self.work.happened.put(None)

    def _over(self, why: str) -> None:
        """Stop it for a time that is over."""
        if not self.work.stopping:
            self.work.note("Stopping", secondary="Stopping", message="Stopping the training job")
            self.work.stop(why)

    @contextlib.contextmanager
    def _waiting_for(self, seconds: float | None) -> Iterator[None]:
        """Stop the job when it has waited and run for so long altogether."""
        timer = _timer(seconds, self._over, _WAITED) if seconds else None
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


def _timer(seconds: float, act: Any, *words: Any) -> threading.Timer:
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), act, words)
    timer.daemon = True
    timer.start()
    return timer
