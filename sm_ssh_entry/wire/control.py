"""Payloads of a control channel: starting sessions, running commands, and their receipts.

The service nests JSON inside JSON strings here; the dataclasses hold what is inside. ``encode`` and ``decode`` as in
``payloads.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.fields import boolean, integer, lookup, mapping, parse_object, text, to_json

TOPIC_START_SESSION = "aws.ssm.startSession"
#: Only these prefixes of a topic count: the service appends the name of the document.
TOPIC_SEND_COMMAND = "aws.ssm.sendCommand"
TOPIC_CANCEL_COMMAND = "aws.ssm.cancelCommand"

#: ``agent_job_ack`` codes of the official agent.
JOB_ACK_SUCCESSFUL = 200
JOB_ACK_DUPLICATE = 51405
JOB_ACK_INVALID_DOCUMENT = 51406
JOB_ACK_PARSE_ERROR = 51408
JOB_ACK_OTHER = 51499


@dataclass(frozen=True, slots=True)
class StartSession:
    """Service to agent, ``interactive_shell``. ``document`` is the document's content, unsubstituted."""

    session_id: str
    document_name: str
    document: dict[str, Any]
    parameters: dict[str, str] = field(default_factory=dict)
    run_as_user: str = ""
    session_owner: str = ""

    def encode(self) -> bytes:
        """Return the JSON."""
        content = {
            "DocumentName": self.document_name,
            "DocumentContent": self.document,
            "SessionId": self.session_id,
            "Parameters": self.parameters,
            "RunAsUser": self.run_as_user,
            "SessionOwner": self.session_owner,
        }
        return to_json(
            {
                "SchemaVersion": 1,
                "TaskId": self.session_id,
                "Topic": TOPIC_START_SESSION,
                "Content": _nested(content),
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> StartSession:
        """Read it. A parameter that is a list of one string, as in the public API, is taken for that string."""
        outer = parse_object(payload, "interactive_shell")
        content = parse_object(text(outer, "Content"), "Content of interactive_shell")
        return cls(
            text(content, "SessionId", text(outer, "TaskId", "")) or text(outer, "TaskId"),
            text(content, "DocumentName", ""),
            mapping(content, "DocumentContent"),
            {name: _plain(name, value) for name, value in mapping(content, "Parameters", {}).items()},
            text(content, "RunAsUser", ""),
            text(content, "SessionOwner", ""),
        )


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Service to agent, ``agent_job`` that starts a command. The agent substitutes ``{{ name }}`` itself."""

    job_id: str
    command_id: str
    document_name: str
    document: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    topic: str = TOPIC_SEND_COMMAND

    def encode(self) -> bytes:
        """Return the JSON. Output to S3 and CloudWatch is off."""
        content = {
            "Parameters": self.parameters,
            "DocumentContent": self.document,
            "CommandId": self.command_id,
            "DocumentName": self.document_name,
            "OutputS3KeyPrefix": "",
            "OutputS3BucketName": "",
            "CloudWatchLogGroupName": "",
            "CloudWatchOutputEnabled": "false",
        }
        return _job(self.job_id, self.topic, content)


@dataclass(frozen=True, slots=True)
class CancelCommand:
    """Service to agent, ``agent_job`` that cancels the command started by job ``cancel_job_id``."""

    job_id: str
    cancel_job_id: str
    topic: str = TOPIC_CANCEL_COMMAND

    def encode(self) -> bytes:
        """Return the JSON."""
        return _job(self.job_id, self.topic, {"CancelMessageId": self.cancel_job_id})


def decode_job(payload: bytes) -> RunCommand | CancelCommand:
    """Read an ``agent_job``; its topic says which of the two it is. Raises RemoteProtocolError."""
    outer = parse_object(payload, "agent_job")
    job_id, topic = text(outer, "JobId"), text(outer, "Topic")
    content = parse_object(text(outer, "Content"), "Content of agent_job")
    if topic.startswith(TOPIC_SEND_COMMAND):
        return RunCommand(
            job_id,
            text(content, "CommandId"),
            text(content, "DocumentName", ""),
            mapping(content, "DocumentContent"),
            mapping(content, "Parameters", {}),
            topic,
        )
    if topic.startswith(TOPIC_CANCEL_COMMAND):
        return CancelCommand(job_id, text(content, "CancelMessageId"), topic)
    raise RemoteProtocolError("agent_job has an unknown topic")


@dataclass(frozen=True, slots=True)
class JobAck:
    """Agent to service, ``agent_job_ack``: the job was taken on, or why not. ``created_date`` is an ISO 8601 text.

    The official agent writes the word Successful into ``error_message`` of status 200.
    """

    job_id: str
    acknowledged_message_id: str
    created_date: str
    status_code: int = JOB_ACK_SUCCESSFUL
    error_message: str = "Successful"

    def encode(self) -> bytes:
        """Return the JSON. The code travels as text."""
        return to_json(
            {
                "jobId": self.job_id,
                "acknowledgedMessageId": self.acknowledged_message_id,
                "createdDate": self.created_date,
                "statusCode": str(self.status_code),
                "errorMessage": self.error_message,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> JobAck:
        """Read it; the code may be text or number."""
        source = parse_object(payload, "agent_job_ack")
        code = lookup(source, "statusCode")
        if isinstance(code, bool) or not str(code).isascii() or not str(code).isdigit() or len(str(code)) > 9:
            raise RemoteProtocolError("statusCode is not a number")
        return cls(
            text(source, "jobId"),
            text(source, "acknowledgedMessageId", ""),
            text(source, "createdDate", ""),
            int(str(code)),
            text(source, "errorMessage", ""),
        )


@dataclass(frozen=True, slots=True)
class JobStep:
    """Outcome of one step in ``runtimeStatus``. Dates are ISO 8601 texts; ``action`` is e.g. ``aws:runShellScript``."""

    status: str
    code: int = 0
    action: str = ""
    output: str = ""
    start: str = ""
    end: str = ""
    standard_output: str = ""
    standard_error: str = ""


@dataclass(frozen=True, slots=True)
class JobReply:
    """Agent to service, ``agent_job_reply``: where the command stands.

    ``steps`` by name, empty in the first reply. ``agent`` is ``additionalInfo.agent`` (lang, name, os, osver, ver).
    """

    job_id: str
    document_status: str
    steps: dict[str, JobStep] = field(default_factory=dict)
    trace: str = ""
    agent: dict[str, str] = field(default_factory=dict)
    date_time: str = ""
    run_id: str = ""
    topic: str = TOPIC_SEND_COMMAND

    def encode(self) -> bytes:
        """Return the JSON."""
        counts: dict[str, int] = {}
        for step in self.steps.values():
            counts[step.status] = counts.get(step.status, 0) + 1
        content = {
            "additionalInfo": {
                "agent": self.agent,
                "dateTime": self.date_time,
                "runId": self.run_id,
                "runtimeStatusCounts": counts,
            },
            "documentStatus": self.document_status,
            "documentTraceOutput": self.trace,
            "runtimeStatus": {name: _step_to_json(name, step) for name, step in self.steps.items()} or None,
        }
        return to_json({"schemaVersion": 1, "jobId": self.job_id, "content": _nested(content), "topic": self.topic})

    @classmethod
    def decode(cls, payload: bytes) -> JobReply:
        """Read it."""
        outer = parse_object(payload, "agent_job_reply")
        content = parse_object(text(outer, "content"), "content of agent_job_reply")
        info = mapping(content, "additionalInfo", {})
        steps = mapping(content, "runtimeStatus", {})
        return cls(
            text(outer, "jobId"),
            text(content, "documentStatus"),
            {name: _step_from_json(name, step) for name, step in steps.items()},
            text(content, "documentTraceOutput", ""),
            {key: str(value) for key, value in mapping(info, "agent", {}).items()},
            text(info, "dateTime", ""),
            text(info, "runId", ""),
            text(outer, "topic", TOPIC_SEND_COMMAND),
        )


@dataclass(frozen=True, slots=True)
class JobReplyAck:
    """Service to agent, ``agent_job_reply_ack``. ``acknowledged_message_id`` is the reply's message id."""

    job_id: str
    acknowledged_message_id: str

    def encode(self) -> bytes:
        """Return the JSON."""
        return to_json({"jobId": self.job_id, "acknowledgedMessageId": self.acknowledged_message_id})

    @classmethod
    def decode(cls, payload: bytes) -> JobReplyAck:
        """Read it."""
        source = parse_object(payload, "agent_job_reply_ack")
        return cls(text(source, "jobId"), text(source, "acknowledgedMessageId", ""))


@dataclass(frozen=True, slots=True)
class TaskComplete:
    """Agent to service, ``agent_task_complete``: a session is over. ``final_status`` is Success, Failed, ..."""

    task_id: str
    instance_id: str
    final_status: str
    output: str = ""
    is_routing_failure: bool = False
    retry_number: int = 1
    topic: str = "agent_task_complete"

    def encode(self) -> bytes:
        """Return the JSON. Logging to S3 and CloudWatch is off."""
        return to_json(
            {
                "SchemaVersion": 1,
                "TaskId": self.task_id,
                "Topic": self.topic,
                "FinalTaskStatus": self.final_status,
                "IsRoutingFailure": self.is_routing_failure,
                "AwsAccountId": "",
                "InstanceId": self.instance_id,
                "Output": self.output,
                "S3Bucket": "",
                "S3UrlSuffix": "",
                "CwlGroup": "",
                "CwlStream": "",
                "RetryNumber": self.retry_number,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> TaskComplete:
        """Read it."""
        source = parse_object(payload, "agent_task_complete")
        return cls(
            text(source, "TaskId"),
            text(source, "InstanceId", ""),
            text(source, "FinalTaskStatus"),
            text(source, "Output", ""),
            boolean(source, "IsRoutingFailure", False),
            integer(source, "RetryNumber", 1),
            text(source, "Topic", "agent_task_complete"),
        )


@dataclass(frozen=True, slots=True)
class TaskAcknowledge:
    """Service to agent, ``agent_task_acknowledge``. ``message_id`` is that of the ``agent_task_complete``."""

    message_id: str
    task_id: str
    topic: str = "agent_task_complete"

    def encode(self) -> bytes:
        """Return the JSON."""
        return to_json({"SchemaVersion": 1, "MessageId": self.message_id, "TaskId": self.task_id, "Topic": self.topic})

    @classmethod
    def decode(cls, payload: bytes) -> TaskAcknowledge:
        """Read it."""
        source = parse_object(payload, "agent_task_acknowledge")
        return cls(text(source, "MessageId", ""), text(source, "TaskId"), text(source, "Topic", ""))


def _nested(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))


def _job(job_id: str, topic: str, content: dict[str, Any]) -> bytes:
    return to_json({"SchemaVersion": 1, "JobId": job_id, "Topic": topic, "Content": _nested(content)})


def _plain(name: str, value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        raise RemoteProtocolError(f"parameter {name} is not a string")
    return value


def _step_to_json(name: str, step: JobStep) -> dict[str, Any]:
    return {
        "status": step.status,
        "code": step.code,
        "name": step.action,
        "output": step.output,
        "startDateTime": step.start,
        "endDateTime": step.end,
        "outputS3BucketName": "",
        "outputS3KeyPrefix": "",
        "stepName": name,
        "standardOutput": step.standard_output,
        "standardError": step.standard_error,
    }


def _step_from_json(name: str, source: Any) -> JobStep:
    if not isinstance(source, dict):
        raise RemoteProtocolError(f"runtimeStatus of {name} is not a JSON object")
    return JobStep(
        text(source, "status"),
        integer(source, "code", 0, low=-(2**31)),
        text(source, "name", ""),
        text(source, "output", ""),
        text(source, "startDateTime", ""),
        text(source, "endDateTime", ""),
        text(source, "standardOutput", ""),
        text(source, "standardError", ""),
    )
