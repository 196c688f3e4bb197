from __future__ import annotations

import json
from typing import Any

import pytest

from sm_ssh_entry.wire import control as c
from sm_ssh_entry.wire.errors import RemoteProtocolError

DOCUMENT = {"schemaVersion": "1.0", "sessionType": "Port", "properties": {"portNumber": "{{ portNumber }}"}}
START = (
    b'{"SchemaVersion":1,"TaskId":"s-1","Topic":"aws.ssm.startSession","Content":"{\\"DocumentName\\":'
    b'\\"AWS-StartSSHSession\\",\\"DocumentContent\\":{\\"schemaVersion\\":\\"1.0\\",\\"sessionType\\":\\"Port\\",'
    b'\\"properties\\":{\\"portNumber\\":\\"{{ portNumber }}\\"}},\\"SessionId\\":\\"s-1\\",\\"Parameters\\":'
    b'{\\"portNumber\\":\\"22\\"},\\"RunAsUser\\":\\"\\",\\"SessionOwner\\":\\"arn\\"}"}'
)
SEND = (
    b'{"SchemaVersion":1,"JobId":"aws.ssm.c-1.mi-1","Topic":"aws.ssm.sendCommand","Content":"{\\"Parameters\\":'
    b'{\\"commands\\":[\\"id\\"]},\\"DocumentContent\\":{},\\"CommandId\\":\\"c-1\\",\\"DocumentName\\":'
    b'\\"AWS-RunShellScript\\",\\"OutputS3KeyPrefix\\":\\"\\",\\"OutputS3BucketName\\":\\"\\",'
    b'\\"CloudWatchLogGroupName\\":\\"\\",\\"CloudWatchOutputEnabled\\":\\"false\\"}"}'
)
CANCEL = (
    b'{"SchemaVersion":1,"JobId":"aws.ssm.c-2.mi-1","Topic":"aws.ssm.cancelCommand","Content":'
    b'"{\\"CancelMessageId\\":\\"aws.ssm.c-1.mi-1\\"}"}'
)
STEP = c.JobStep("Failed", 7, "aws:runShellScript", "all", "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", "o", "e")
REPLY = c.JobReply(
    "j", "Failed", {"script": STEP}, "trace", {"name": "agent", "ver": "3.3.0.0"}, "2024-01-01T00:00:01Z", "r"
)
BOTH_WAYS: list[tuple[bytes, Any]] = [
    (START, c.StartSession("s-1", "AWS-StartSSHSession", DOCUMENT, {"portNumber": "22"}, "", "arn")),
    (
        b'{"jobId":"j","acknowledgedMessageId":"u","createdDate":"2024-01-01T00:00:00.000Z","statusCode":"200",'
        b'"errorMessage":"Successful"}',
        c.JobAck("j", "u", "2024-01-01T00:00:00.000Z"),
    ),
    (b'{"jobId":"j","acknowledgedMessageId":"u"}', c.JobReplyAck("j", "u")),
    (
        b'{"SchemaVersion":1,"TaskId":"s","Topic":"agent_task_complete","FinalTaskStatus":"Failed",'
        b'"IsRoutingFailure":false,"AwsAccountId":"","InstanceId":"mi-1","Output":"why","S3Bucket":"",'
        b'"S3UrlSuffix":"","CwlGroup":"","CwlStream":"","RetryNumber":2}',
        c.TaskComplete("s", "mi-1", "Failed", "why", retry_number=2),
    ),
    (
        b'{"SchemaVersion":1,"MessageId":"u","TaskId":"s","Topic":"agent_task_complete"}',
        c.TaskAcknowledge("u", "s"),
    ),
]
ALL = [*BOTH_WAYS, (REPLY.encode(), REPLY)]


@pytest.mark.parametrize(("payload", "value"), BOTH_WAYS)
def test_one_literal_both_ways(payload: bytes, value: Any) -> None:
    assert value.encode() == payload
    assert type(value).decode(payload) == value


@pytest.mark.parametrize(
    ("payload", "job"),
    [
        (SEND, c.RunCommand("aws.ssm.c-1.mi-1", "c-1", "AWS-RunShellScript", {}, {"commands": ["id"]})),
        (CANCEL, c.CancelCommand("aws.ssm.c-2.mi-1", "aws.ssm.c-1.mi-1")),
    ],
)
def test_jobs_both_ways(payload: bytes, job: c.RunCommand | c.CancelCommand) -> None:
    assert job.encode() == payload
    assert c.decode_job(payload) == job


@pytest.mark.parametrize(("payload", "value"), ALL)
def test_cut_or_followed_by_more_it_is_malformed(payload: bytes, value: Any) -> None:
    for end in range(len(payload)):
        with pytest.raises(RemoteProtocolError):
            type(value).decode(payload[:end])
    with pytest.raises(RemoteProtocolError):
        type(value).decode(payload + b"x")


def test_a_reply_carries_its_steps_and_counts_them() -> None:
    outer = json.loads(REPLY.encode())
    content = json.loads(outer["content"])
    assert outer["schemaVersion"] == 1
    assert content["additionalInfo"]["runtimeStatusCounts"] == {"Failed": 1}
    assert content["runtimeStatus"]["script"]["standardOutput"] == "o"
    assert content["runtimeStatus"]["script"]["stepName"] == "script"
    assert c.JobReply.decode(REPLY.encode()) == REPLY


def test_the_first_reply_has_null_for_its_steps() -> None:
    first = c.JobReply("j", "InProgress")
    assert json.loads(json.loads(first.encode())["content"])["runtimeStatus"] is None
    assert c.JobReply.decode(first.encode()) == first


def test_steps_that_are_no_objects() -> None:
    payload = json.dumps({"jobId": "j", "content": json.dumps({"documentStatus": "x", "runtimeStatus": {"a": 5}})})
    with pytest.raises(RemoteProtocolError):
        c.JobReply.decode(payload.encode())


def test_a_parameter_that_is_a_list_of_one_is_that_one() -> None:
    listed = START.replace(b'\\"22\\"', b'[\\"22\\"]')
    assert c.StartSession.decode(listed).parameters == {"portNumber": "22"}
    for bad in (b'[\\"22\\",\\"23\\"]', b"22", b"[22]"):
        with pytest.raises(RemoteProtocolError, match="parameter portNumber"):
            c.StartSession.decode(START.replace(b'\\"22\\"', bad))


def test_the_session_id_may_be_in_either_place() -> None:
    payload = b'{"TaskId":"s-9","Content":"{\\"DocumentContent\\":{}}"}'
    assert c.StartSession.decode(payload).session_id == "s-9"
    with pytest.raises(RemoteProtocolError):
        c.StartSession.decode(payload.replace(b'"TaskId":"s-9",', b""))


def test_content_that_is_no_json_or_no_string() -> None:
    for content in (b'"x"', b"{}", b'"[]"', b"null"):
        payload = b'{"TaskId":"s","JobId":"j","Topic":"aws.ssm.sendCommand","Content":' + content + b"}"
        with pytest.raises(RemoteProtocolError):
            c.StartSession.decode(payload)
        with pytest.raises(RemoteProtocolError):
            c.decode_job(payload)


def test_a_topic_counts_by_its_prefix() -> None:
    job = c.decode_job(SEND.replace(b"sendCommand", b"sendCommand.AWS-RunShellScript.1"))
    assert isinstance(job, c.RunCommand)
    with pytest.raises(RemoteProtocolError, match="topic"):
        c.decode_job(SEND.replace(b"sendCommand", b"dance"))


@pytest.mark.parametrize(("code", "number"), [(b'"51405"', 51405), (b"200", 200)])
def test_status_codes(code: bytes, number: int) -> None:
    assert c.JobAck.decode(b'{"jobId":"j","statusCode":' + code + b"}").status_code == number


@pytest.mark.parametrize("code", [b'"x"', b'""', b"null", b"true", b"-1", b"[]", b'"\xd9\xa3"', b"12345678901"])
def test_no_status_codes(code: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        c.JobAck.decode(b'{"jobId":"j","statusCode":' + code + b"}")
