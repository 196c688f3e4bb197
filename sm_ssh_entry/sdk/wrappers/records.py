"""Jobs and endpoints as SageMaker has them: asked for, stopped and waited for by their names, without its SDK."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sm_ssh_entry import aws
from sm_ssh_entry.errors import ServiceError, SmSshError
from sm_ssh_entry.sdk.wrappers import names, tool
from sm_ssh_entry.sdk.wrappers.account import Account


class _Kind(NamedTuple):
    noun: str
    describe: str
    argument: str
    status: str
    stop: str = ""
    #: States that pass by themselves.
    passing: frozenset[str] = frozenset({"InProgress", "Stopping"})


_KINDS: Mapping[str, _Kind] = {
    "training": _Kind("training job", "DescribeTrainingJob", "TrainingJobName", "TrainingJobStatus", "StopTrainingJob"),
    "processing": _Kind(
        "processing job", "DescribeProcessingJob", "ProcessingJobName", "ProcessingJobStatus", "StopProcessingJob"
    ),
    "transform": _Kind(
        "transform job", "DescribeTransformJob", "TransformJobName", "TransformJobStatus", "StopTransformJob"
    ),
    "inference": _Kind(
        "endpoint",
        "DescribeEndpoint",
        "EndpointName",
        "EndpointStatus",
        passing=frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}),
    ),
}
_FAILED = {"Failed", "UpdateRollbackFailed", "OutOfService"}
# SageMaker's answer to a stop of what has ended.
_REJECTED = "ValidationException"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
# CloudWatch has a job's last lines some seconds after its end.
_LATE_LINES = 15.0
# That of a job which has ended is read at once.
_WHOLE_LOG = 300.0


@dataclass(frozen=True)
class Record:
    """A job or an endpoint.

    Attributes:
        kind: word of its host name.
        name: its name.
        account: whose it is.
    """

    kind: str
    name: str
    account: Account = field(default_factory=Account, repr=False)

    @property
    def job_name(self) -> str:
        """The name, as some classes of the SDK call it."""
        return self.name

    @property
    def host(self) -> str:
        """The name to reach it by."""
        return names.host(self.kind, self.name)

    @property
    def noun(self) -> str:
        """What it is: ``training job``."""
        return _KINDS[self.kind].noun

    def describe(self) -> dict[str, Any]:
        """Return all that SageMaker says about it.

        Raises:
            ServiceError: it does not exist.
            AccessDenied: the caller may not ask.
        """
        return self._call(_KINDS[self.kind].describe)

    def status(self) -> str:
        """Return its status in SageMaker's word: ``InProgress``."""
        return str(self.describe()[_KINDS[self.kind].status])

    def stop(self) -> None:
        """Stop it; nothing where it has ended.

        Raises:
            ServiceError: it does not exist.
            AccessDenied: the caller may not stop it.
        """
        try:
            self._call(_KINDS[self.kind].stop)
        except ServiceError as error:
            if error.code != _REJECTED or self.status() in _KINDS[self.kind].passing:
                raise

    def wait(self, logs: bool = True) -> None:
        """Wait until it has ended, or for an endpoint until it is in service.

        Args:
            logs: print its log meanwhile.

        Raises:
            SmSshError: it has failed; the message says why.
        """
        with self._log_shown() if logs else contextlib.nullcontext():
            answer = self._ended()
        status = str(answer[_KINDS[self.kind].status])
        if status in _FAILED:
            reason = " ".join(str(answer.get("FailureReason") or answer.get("ExitMessage") or "").split())
            raise SmSshError(
                f"{self.noun} {self.name} is {status}" + (f": {reason}" if reason else ""),
                hint=f"sm-ssh logs {self.host}",
            )

    def rule_job_summary(self) -> list[dict[str, Any]]:
        """Return the states of the debugger's and the profiler's rules of a training job."""
        answer = self.describe()
        return [*answer.get("DebugRuleEvaluationStatuses", ()), *answer.get("ProfilerRuleEvaluationStatuses", ())]

    def _log_shown(self) -> contextlib.AbstractContextManager[None]:
        answer = self.describe()
        age = time.time() - answer["CreationTime"].timestamp()
        words = ("logs", self.host, "--since", f"{math.ceil(max(0.0, age)) + 60}s")
        if answer[_KINDS[self.kind].status] in _KINDS[self.kind].passing:
            return tool.beside(self.account, *words, "--follow", grace=_LATE_LINES)
        return tool.beside(self.account, *words, grace=_WHOLE_LOG)

    def _ended(self) -> dict[str, Any]:
        pause, clock = _FIRST_PAUSE, threading.Event()
        while True:
            answer = self.describe()
            if answer[_KINDS[self.kind].status] not in _KINDS[self.kind].passing:
                return answer
            clock.wait(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _call(self, operation: str) -> dict[str, Any]:
        kind = _KINDS[self.kind]
        method = _snake(operation)
        with aws.errors_of(action=f"sagemaker:{operation}"):
            client = self.account.client("sagemaker")
            answer: dict[str, Any] = getattr(client, method)(**{kind.argument: self.name})
        return answer


def _snake(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
