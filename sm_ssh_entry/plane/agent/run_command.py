"""Run Command: jobs come in on the control channel, run a few at a time, and each result is sent until received."""

from __future__ import annotations

import asyncio
import logging
import platform
import shutil
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain, count
from pathlib import Path
from typing import Any

from sm_ssh_entry.plane.agent import scripts, settings
from sm_ssh_entry.plane.agent.control import ControlChannel
from sm_ssh_entry.plane.agent.expansion import RUN_SHELL_SCRIPT, InvalidDocument, Step, command_steps
from sm_ssh_entry.plane.agent.journal import REPLY_SECONDS, Journal
from sm_ssh_entry.plane.agent.processes import Children
from sm_ssh_entry.wire import control as payloads
from sm_ssh_entry.wire.control import CancelCommand, JobAck, JobReply, JobStep, RunCommand
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import AgentMessage, MessageType

log = logging.getLogger(__name__)

# Mds.CommandWorkersLimit of the official agent, and how many may wait before a job is refused.
AT_ONCE = 5
WAITING = 1000
ACK_BUFFER_FULL = 51402
LONGEST_PAUSE = 30.0


@dataclass
class _Job:
    """A command that waits or runs."""

    request: RunCommand
    steps: tuple[Step, ...]
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


class Commands:
    """The commands of one node.

    Args:
        control: where replies go.
        children: starts scripts.
        journal: what earlier workers left.
        folder: where scripts are kept while they run.
        node_id: managed node id.
    """

    def __init__(
        self, control: ControlChannel, children: Children, journal: Journal, folder: Path, node_id: str
    ) -> None:
        self._control = control
        self._children = children
        self._journal = journal
        self._folder = folder
        self._node_id = node_id
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._jobs: dict[str, _Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Send what an earlier worker could not: results, and a failure for each command that it took with it."""
        # A script that a killed worker left may hold a key.
        shutil.rmtree(self._folder, ignore_errors=True)
        for left in self._journal.unfinished():
            job_id = f"aws.ssm.{left.command_id}.{self._node_id}"
            reply = left.reply
            if not reply:
                failed = JobStep("Failed", 1, RUN_SHELL_SCRIPT, standard_error="the agent was restarted meanwhile")
                reply = self._reply(job_id, "Failed", {RUN_SHELL_SCRIPT: failed}).encode()
                self._journal.finish(left.command_id, reply)
            self._start(self._report(left.command_id, reply))

    def receive(self, message: AgentMessage) -> None:
        """Take an ``agent_job``: acknowledge it, or say why not."""
        try:
            request = payloads.decode_job(message.payload)
        except RemoteProtocolError as error:
            log.warning("refused a job: %s", error)
            self._acknowledge("", message, payloads.JOB_ACK_PARSE_ERROR, str(error))
            return
        if isinstance(request, CancelCommand):
            self._acknowledge(request.job_id, message)
            self._cancel(request)
            return
        status, reason = self._accept(request)
        self._acknowledge(request.job_id, message, status, reason)

    async def close(self) -> None:
        """End every command. Their results are sent by the next worker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, request: RunCommand) -> tuple[int, str]:
        if not Journal.valid(request.command_id):
            return payloads.JOB_ACK_PARSE_ERROR, "the command id is malformed"
        if len(self._jobs) >= WAITING:
            return ACK_BUFFER_FULL, "too many commands are waiting"
        try:
            steps = command_steps(request.document, request.parameters)
        except InvalidDocument as error:
            return payloads.JOB_ACK_INVALID_DOCUMENT, str(error)
        if request.command_id in self._jobs or not self._journal.begin(request.command_id):
            return payloads.JOB_ACK_DUPLICATE, "the command is a duplicate"
        job = _Job(request, steps)
        self._jobs[request.command_id] = job
        self._start(self._run(job))
        return payloads.JOB_ACK_SUCCESSFUL, "Successful"

    def _cancel(self, request: CancelCommand) -> None:
        for job in self._jobs.values():
            if job.request.job_id == request.cancel_job_id:
                job.cancelled.set()

    async def _run(self, job: _Job) -> None:
        command_id, job_id = job.request.command_id, job.request.job_id
        try:
            async with self._turn:
                log.info("command %s: %s", command_id, job.request.document_name)
                begun = self._reply(job_id, "InProgress", {}).encode()
                self._start(self._send(MessageType.AGENT_JOB_REPLY, begun))
                done: dict[str, JobStep] = {}
                for number, step in enumerate(job.steps):
                    done[step.name] = await self._guarded(job, number, step, done)
                    interim = self._reply(job_id, "InProgress", {step.name: done[step.name]}).encode()
                    self._start(self._deliver(interim))
            final = self._reply(job_id, _overall(done), done)
            log.info("command %s: %s", command_id, final.document_status)
            self._journal.finish(command_id, final.encode())
        finally:
            del self._jobs[command_id]
        await self._report(command_id, final.encode())

    async def _guarded(self, job: _Job, number: int, step: Step, done: dict[str, JobStep]) -> JobStep:
        start = _now()
        try:
            return await self._step(job, number, step, done)
        except Exception as error:
            # A command without a result would be waited for until its own timeout, which may be two days.
            log.exception("command %s failed", job.request.command_id)
            text = f"the stand-in agent failed: {type(error).__name__}"
            return JobStep("Failed", 1, step.action, "", start, _now(), "", text)

    async def _step(self, job: _Job, number: int, step: Step, done: dict[str, JobStep]) -> JobStep:
        start = _now()
        barred = next((name for name, before in zip(done, job.steps, strict=False) if _bars(before, done[name])), "")
        if job.cancelled.is_set():
            return JobStep("Cancelled", scripts.STOPPED_CODE, step.action, start=start, end=start)
        if step.skipped or barred:
            reason = f"step {barred} failed" if barred else "the precondition does not hold"
            return JobStep("Skipped", 0, step.action, f"Step execution skipped: {reason}", start, start)
        if not step.scripts:
            text = f"plugin {step.action} is not supported by the stand-in agent"
            return JobStep("Failed", 1, step.action, "", start, start, "", text)
        names = {
            "AWS_SSM_INSTANCE_ID": self._node_id,
            "SSM_COMMAND_ID": job.request.command_id,
        }
        outcomes: list[scripts.Outcome] = []
        for index, script in enumerate(step.scripts):
            folder = self._folder / job.request.command_id / f"{number}.{index}"
            outcomes.append(await scripts.run(script, folder, self._children, job.cancelled, names))
            if outcomes[-1].status in {"Cancelled", "TimedOut"}:
                break
        return _joined(step, outcomes, start)

    def _reply(self, job_id: str, status: str, steps: dict[str, JobStep]) -> JobReply:
        agent = {
            "lang": "en-US",
            "name": settings.NAME,
            "os": platform.system().lower(),
            "osver": "1",
            "ver": settings.PROTOCOL_VERSION,
        }
        return JobReply(job_id, status, steps, "", agent, _now(), str(uuid.uuid4()))

    async def _report(self, command_id: str, reply: bytes) -> None:
        await self._deliver(reply)
        self._journal.received(command_id)

    async def _deliver(self, reply: bytes) -> None:
        if not await self._control.deliver(MessageType.AGENT_JOB_REPLY, reply, pauses=_pauses()):
            log.warning("a result was never received: given up after two hours")

    def _acknowledge(
        self, job_id: str, message: AgentMessage, status: int = payloads.JOB_ACK_SUCCESSFUL, reason: str = "Successful"
    ) -> None:
        if status != payloads.JOB_ACK_SUCCESSFUL:
            log.warning("job %s refused with %d: %s", job_id or "without an id", status, reason)
        receipt = JobAck(job_id, str(message.message_id), _now(), status, reason)
        self._start(self._send(MessageType.AGENT_JOB_ACK, receipt.encode()))

    async def _send(self, message_type: MessageType, payload: bytes) -> None:
        await self._control.send(message_type, payload)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _pauses() -> Iterator[float]:
    """1 s, doubling to 30 s, for two hours."""
    spent = 0.0
    for pause in chain((float(2**power) for power in range(5)), (LONGEST_PAUSE for _ in count())):
        if spent > REPLY_SECONDS:
            return
        spent += pause
        yield pause


def _bars(step: Step, outcome: JobStep) -> bool:
    return step.exit_on_failure and outcome.status not in {"Success", "Skipped"}


def _overall(done: dict[str, JobStep]) -> str:
    """The command's status: the worst of its steps."""
    statuses = {step.status for step in done.values()}
    return next((status for status in ("Cancelled", "TimedOut", "Failed") if status in statuses), "Success")


def _joined(step: Step, outcomes: list[scripts.Outcome], start: str) -> JobStep:
    worst = next((outcome for outcome in outcomes if outcome.status != "Success"), outcomes[-1])
    stdout = "".join(outcome.stdout for outcome in outcomes)[: scripts.STDOUT_LIMIT]
    stderr = "".join(outcome.stderr for outcome in outcomes)[: scripts.STDERR_LIMIT]
    output = f"{stdout}\n----------ERROR-------\n{stderr}" if stderr else stdout
    return JobStep(worst.status, worst.code, step.action, output, start, _now(), stdout, stderr)


def _now() -> str:
    """The time as the official agent writes it: UTC, milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
