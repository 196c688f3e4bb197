"""Run Command's table of commands and their invocations, and how an invocation moves on. Plain state, no I/O.

Protocol page, section 9. Time passes only where ``expire`` is called with the present: everybody who reads or delivers
calls it first, so no timer is needed and a final state stays final.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sm_ssh_entry.plane.documents import Document
from sm_ssh_entry.wire.control import JOB_ACK_DUPLICATE, JOB_ACK_SUCCESSFUL, JobAck, JobReply, JobStep

# The agent's own buffer is full: it may take the job a little later.
JOB_ACK_BUFFER_FULL = 51402
# Seconds until what was not acknowledged is sent again: the first time, and at most.
_FIRST_RESEND = 0.5
_LAST_RESEND = 30.0
# How many commands are remembered. AWS keeps them for 30 days.
HISTORY = 1000
DEFAULT_DELIVERY_SECONDS = 3600
# Limits of the public model.
MAX_STDOUT = 24_000
MAX_STDERR = 8_000
MAX_PLUGIN_OUTPUT = 2_500
CUT = "\n---Output truncated---"


class Status(str, Enum):
    """AWS's words for where a command or an invocation stands."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCESS = "Success"
    CANCELLED = "Cancelled"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    CANCELLING = "Cancelling"

    @property
    def final(self) -> bool:
        """Whether nothing changes it any more."""
        return self in (Status.SUCCESS, Status.CANCELLED, Status.FAILED, Status.TIMED_OUT)


# documentStatus of a reply -> Status and StatusDetails. SuccessAndReboot: the agent will be back and report again.
_OUTCOMES = {
    "Success": (Status.SUCCESS, "Success"),
    "Skipped": (Status.SUCCESS, "Success"),
    "Failed": (Status.FAILED, "Failed"),
    "Cancelled": (Status.CANCELLED, "Cancelled"),
    "TimedOut": (Status.TIMED_OUT, "ExecutionTimedOut"),
}


@dataclass
class Invocation:
    """One command on one node. Times are epoch seconds.

    Args:
        command_id: the command.
        node_id: the node.
        status: where it stands.
        details: AWS's StatusDetails: a finer word for it.
        steps: the last that the node said of each step, by name.
        trace: documentTraceOutput, or why the node did not take the job.
        cancel_id: id of the job that cancels it; ``""``: nobody asked.
        heard: whether the node acknowledged the last thing it was told.
        tries: how often that was sent on the node's present control channel.
        sent_at: when last.
    """

    command_id: str
    node_id: str
    status: Status = Status.PENDING
    details: str = "Pending"
    steps: dict[str, JobStep] = field(default_factory=dict)
    trace: str = ""
    cancel_id: str = ""
    heard: bool = False
    tries: int = 0
    sent_at: float = 0.0

    @property
    def job_id(self) -> str:
        """Id of the job that starts it, by which the agent reports."""
        return f"aws.ssm.{self.command_id}.{self.node_id}"

    def become(self, status: Status, details: str = "") -> None:
        """Move on; a final state stays."""
        if not self.status.final:
            self.status, self.details = status, details or status.value

    def cancel(self) -> None:
        """Ask for its end: at once where the node cannot have heard of it."""
        if self.status is Status.PENDING and not self.tries:
            self.become(Status.CANCELLED)
        elif not self.status.final and not self.cancel_id:
            self.become(Status.CANCELLING)
            self.cancel_id = f"aws.ssm.{uuid.uuid4()}.{self.node_id}"
            self.heard, self.tries = False, 0

    @property
    def due(self) -> float | None:
        """When the node is to be told (again) to start it or to stop it; None: there is nothing to tell.

        The official agent drops jobs without a word that come right after it opened its control channel, before its
        own parts are ready; so what is not acknowledged is sent again. A second copy does no harm: it is answered as
        a duplicate.
        """
        if self.heard or self.status not in (Status.PENDING, Status.CANCELLING):
            return None
        if not self.tries:
            return 0.0
        pause: float = _FIRST_RESEND * 2 ** (self.tries - 1)
        return self.sent_at + min(pause, _LAST_RESEND)

    def note_sent(self, now: float) -> None:
        """Note that the job, or its cancellation, goes out."""
        self.tries += 1
        self.sent_at = now

    def channel_opened(self) -> None:
        """Note a new control channel: what was not acknowledged on the old one goes out again."""
        self.tries = 0

    def acknowledged(self, ack: JobAck) -> None:
        """Take in the node's receipt. 51405, duplicate, means that an earlier sending arrived."""
        if ack.status_code == JOB_ACK_BUFFER_FULL:
            return
        if ack.job_id == self.cancel_id:
            self.heard = True
        elif self.status is Status.PENDING:
            self.heard = True
            if ack.status_code in (JOB_ACK_SUCCESSFUL, JOB_ACK_DUPLICATE):
                self.become(Status.IN_PROGRESS)
            else:
                self.trace = f"{ack.status_code} {ack.error_message}".strip()
                self.become(Status.FAILED, "Undeliverable")

    def replied(self, reply: JobReply) -> None:
        """Take in a report of the node."""
        if self.status.final:
            return
        self.steps = dict(reply.steps) or self.steps
        self.trace = reply.trace or self.trace
        if reply.document_status in _OUTCOMES:
            self.become(*_OUTCOMES[reply.document_status])
        elif self.status is Status.PENDING:
            self.become(Status.IN_PROGRESS)


@dataclass
class Command:
    """One SendCommand. Times are epoch seconds.

    Args:
        command_id: UUID.
        region: region of the call.
        document: the document.
        arguments: its parameters as the agent wants them.
        parameters: its parameters as the caller gave them.
        requested: when.
        delivery_seconds: how long it may wait for its node: TimeoutSeconds.
        execution_seconds: how long the document lets it run.
        instance_ids: InstanceIds of the call.
        targets: Targets of the call.
        comment: for people.
        echo: what else of the call Describe answers repeat, by AWS's names.
        invocations: by node id.
        serial: its place in the order of starts.
    """

    command_id: str
    region: str
    document: Document
    arguments: dict[str, Any]
    parameters: dict[str, list[str]]
    requested: float
    delivery_seconds: int = DEFAULT_DELIVERY_SECONDS
    execution_seconds: int = 3600
    instance_ids: Sequence[str] = ()
    targets: Sequence[dict[str, Any]] = ()
    comment: str = ""
    echo: dict[str, Any] = field(default_factory=dict)
    invocations: dict[str, Invocation] = field(default_factory=dict)
    serial: int = 0

    @property
    def expires(self) -> float:
        """When nothing is waited for any more: ExpiresAfter."""
        return self.requested + self.delivery_seconds + self.execution_seconds

    def expire(self, now: float) -> None:
        """Let time pass: what was not delivered in time, or not finished in time, has timed out."""
        for one in self.invocations.values():
            if one.status is Status.PENDING and now >= self.requested + self.delivery_seconds:
                one.become(Status.TIMED_OUT, "DeliveryTimedOut")
            elif now >= self.expires:
                # A cancellation that its node never confirmed has had its effect as far as anybody can tell.
                cancelling = one.status is Status.CANCELLING
                one.become(*((Status.CANCELLED, "") if cancelling else (Status.TIMED_OUT, "ExecutionTimedOut")))

    @property
    def status(self) -> Status:
        """The worst of the invocations once all have ended; before that, how far they are."""
        every = {one.status for one in self.invocations.values()}
        running = {status for status in every if not status.final}
        if running:
            if Status.CANCELLING in running:
                return Status.CANCELLING
            return Status.PENDING if every == {Status.PENDING} else Status.IN_PROGRESS
        worst_first = (Status.FAILED, Status.TIMED_OUT, Status.CANCELLED)
        return next((status for status in worst_first if status in every), Status.SUCCESS)

    @property
    def details(self) -> str:
        """StatusDetails of the whole."""
        status = self.status
        if not self.invocations:
            return "NoInstancesInTag"
        return next((one.details for one in self.invocations.values() if one.status is status), status.value)

    def count(self, *statuses: Status) -> int:
        """Return how many invocations are in one of these states."""
        return sum(one.status in statuses for one in self.invocations.values())


def untold(commands: dict[str, Command], node_id: str, now: float) -> Iterator[tuple[Command, Invocation, float]]:
    """Yield what a node has not acknowledged, jobs and cancellations, and when it is to be told. Oldest first."""
    for command in commands.values():
        invocation = command.invocations.get(node_id)
        if invocation is None or invocation.status.final:
            continue
        command.expire(now)
        due = invocation.due
        if due is not None:
            yield command, invocation, due


def find_job(commands: dict[str, Command], job_id: str, node_id: str) -> Invocation | None:
    """Return the invocation that a node reports on; None: it is none of that node's."""
    parts = job_id.split(".")
    command = commands.get(parts[-2]) if len(parts) > 3 else None
    invocation = command.invocations.get(node_id) if command else None
    if invocation is not None:
        return invocation if invocation.job_id == job_id else None
    every = (one.invocations.get(node_id) for one in commands.values())
    return next((one for one in every if one is not None and job_id and one.cancel_id == job_id), None)


def next_serial(commands: dict[str, Command]) -> int:
    """Return the next place in the order of starts."""
    return next(reversed(commands.values())).serial + 1 if commands else 1


def forget_oldest(commands: dict[str, Command], keep: int = HISTORY) -> None:
    """Drop the oldest finished commands beyond ``keep``."""
    surplus = len(commands) - keep
    if surplus <= 0:
        return
    for command_id in [one.command_id for one in commands.values() if one.status.final][:surplus]:
        del commands[command_id]


def cut(text: str, limit: int) -> str:
    """Cut a text to a limit of characters and say so at its end."""
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT
