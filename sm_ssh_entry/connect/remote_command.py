"""A shell script on a node through SSM Run Command: sent, polled with a short back-off, its outcome in our words."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.errors import ConnectionLost, ServiceError, SmSshError, TimedOut

# Statuses after which nothing changes any more. Protocol page, section 9.1.
_FINAL = {"Success", "Failed", "Cancelled", "TimedOut", "Undeliverable", "Terminated", "DeliveryTimedOut"}
_UNDELIVERED = {"DeliveryTimedOut", "Undeliverable", "Terminated"}
_FIRST_PAUSE = 0.04
_LONGEST_PAUSE = 1.0
# The least that SendCommand accepts as TimeoutSeconds (time until delivery).
_DELIVERY_SECONDS = 30


@dataclass(frozen=True)
class Output:
    """What a script left on one node: AWS's status word, exit status, streams (cut at 24,000 characters by AWS)."""

    node_id: str
    status: str
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.status == "Success"


def run_script(ssm: Any, node_id: str, script: str, *, comment: str, timeout: float = 30.0) -> Output:
    """Run a POSIX shell script as root on a node and wait for it.

    Args:
        ssm: client.
        node_id: ``mi-…``.
        script: its text; it is visible in the command history, so no secret belongs in it.
        comment: shown in that history.
        timeout: seconds until we stop waiting.

    Raises:
        ConnectionLost: the node does not take commands.
        TimedOut: it did not finish in time.
    """
    deadline = time.monotonic() + timeout
    try:
        with aws.errors_of(action="ssm:SendCommand"):
            sent = ssm.send_command(
                InstanceIds=[node_id],
                DocumentName="AWS-RunShellScript",
                Comment=comment,
                TimeoutSeconds=_DELIVERY_SECONDS,
                Parameters={"commands": script.splitlines(), "executionTimeout": [str(max(1, round(timeout)))]},
            )
    except ServiceError as error:
        if error.code == "InvalidInstanceId":
            raise ConnectionLost(
                f"{node_id} does not take commands: it is not Online", hint="sm-ssh list shows when it was last heard"
            ) from error
        raise
    command_id = str(sent["Command"]["CommandId"])
    pause, clock = _FIRST_PAUSE, threading.Event()
    while time.monotonic() < deadline:
        clock.wait(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        answer = _invocation(ssm, command_id, node_id)
        if answer.get("Status") in _FINAL:
            return _output(node_id, answer)
    raise TimedOut(
        f"{node_id} did not finish the command within {timeout:g} s",
        hint="its agent may be busy or gone; try again, or look at the job's log",
    )


def refusal(output: Output, what: str) -> SmSshError | None:
    """Return the error that a failed script means, None where it succeeded.

    Args:
        output: what it left.
        what: what it was to do, for the message.
    """
    if output.ok:
        return None
    if output.status in _UNDELIVERED:
        return ConnectionLost(f"{output.node_id} did not take the command to {what}: {output.status}")
    lines = [line for line in output.stderr.splitlines() if line.strip() and not line.startswith("failed to run")]
    detail = lines[-1].strip() if lines else f"exit status {output.code}"
    return SmSshError(f"{output.node_id} could not {what}: {detail}")


def _invocation(ssm: Any, command_id: str, node_id: str) -> dict[str, Any]:
    try:
        with aws.errors_of(action="ssm:GetCommandInvocation"):
            return dict(ssm.get_command_invocation(CommandId=command_id, InstanceId=node_id))
    except ServiceError as error:
        if error.code == "InvocationDoesNotExist":  # normal for a moment after SendCommand
            return {}
        raise


def _output(node_id: str, answer: dict[str, Any]) -> Output:
    details = str(answer.get("StatusDetails", ""))
    return Output(
        node_id=node_id,
        status=details.replace(" ", "") if details.replace(" ", "") in _UNDELIVERED else str(answer["Status"]),
        code=int(answer.get("ResponseCode", -1)),
        stdout=str(answer.get("StandardOutputContent", "")),
        stderr=str(answer.get("StandardErrorContent", "")),
    )
