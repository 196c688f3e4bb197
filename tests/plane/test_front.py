"""The HTTP front over real sockets: what is refused, and that nothing ends it."""

from __future__ import annotations

import json
import random
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import Plane, PlaneThread, operations
from tests.plane.agent_calls import Answer, post
from tests.plane.conftest import ClientMaker


def signer(thread: PlaneThread, service: str = "ssm", region: str = "us-east-1") -> SigV4Auth:
    user = thread.plane.credentials.user
    return SigV4Auth(Credentials(user.access_key, user.secret), service, region)


def call(thread: PlaneThread, operation: str, body: bytes | dict[str, Any], service: str = "ssm") -> Answer:
    return post(thread.url, f"AmazonSSM.{operation}", body, signer(thread, service))


def test_unknown_operations(shared_plane: PlaneThread, ssm: Any) -> None:
    for answer in (
        call(shared_plane, "Nonsense", {}),
        call(shared_plane, "", {}),
        post(shared_plane.url, "EC2WindowsMessageDeliveryService.Nonsense", {}, signer(shared_plane, "ec2messages")),
    ):
        assert (answer.status, answer.code) == (400, "UnknownOperationException")
    with pytest.raises(ClientError, match="UnknownOperationException"):
        # In the public model, but neither ours nor moto's.
        ssm.start_execution_preview(DocumentName="x")


def test_malformed_json_and_wrong_shapes(shared_plane: PlaneThread) -> None:
    assert call(shared_plane, "CreateActivation", b"{").code == "SerializationException"
    assert call(shared_plane, "CreateActivation", b"[1]").code == "SerializationException"
    assert call(shared_plane, "CreateActivation", {"IamRole": ["x"]}).code == "SerializationException"
    assert call(shared_plane, "CreateActivation", {}).code == "ValidationException"
    huge = call(shared_plane, "CreateActivation", {"IamRole": "x" * 1_000_000})
    assert (huge.code, len(huge.body["message"]) < 1000) == ("ValidationException", True)


def test_unsigned_and_wrongly_scoped(shared_plane: PlaneThread) -> None:
    unsigned = post(shared_plane.url, "AmazonSSM.CreateActivation", {"IamRole": "x"})
    assert unsigned.code == "MissingAuthenticationTokenException"
    assert call(shared_plane, "CreateActivation", {"IamRole": "x"}, "s3").code == "InvalidSignatureException"
    garbled = post(shared_plane.url, "AmazonSSM.CreateActivation", {}, Authorization="AWS4-HMAC-SHA256 what")
    assert garbled.code == "IncompleteSignatureException"


def test_issued_keys_expired_and_restricted(shared_plane: PlaneThread, client: ClientMaker) -> None:
    expired = shared_plane.call(lambda plane: plane.credentials.issue(expires_in=-1))
    limited = shared_plane.call(lambda plane: plane.credentials.issue(deny=["ssm:Create*"]))
    with pytest.raises(ClientError) as raised:
        client(credential=expired).describe_activations()
    assert raised.value.response["Error"] == {
        "Code": "ExpiredTokenException",
        "Message": "The security token included in the request is expired",
    }
    with pytest.raises(ClientError) as raised:
        client(credential=limited).create_activation(IamRole="x")
    assert raised.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "is not authorized to perform: ssm:CreateActivation on resource" in str(raised.value)
    assert client(credential=limited).describe_activations()["ActivationList"] == []


def test_an_identity_is_whom_the_key_was_issued_to(shared_plane: PlaneThread, client: ClientMaker) -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/Trainer/SageMaker"
    issued = shared_plane.call(lambda plane: plane.credentials.issue(user_arn=arn, user_id="AROAX:SageMaker"))
    found = client("sts", credential=issued).get_caller_identity()
    assert (found["Arn"], found["UserId"], found["Account"]) == (arn, "AROAX:SageMaker", "123456789012")
    assert client("sts").get_caller_identity()["Arn"] != arn


def test_a_handler_that_fails_is_one_answer_and_one_line(
    shared_plane: PlaneThread, ssm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def break_it(plane: Plane) -> Any:
        kept, plane.store.activations = plane.store.activations, None  # type: ignore[assignment]
        return kept

    kept = shared_plane.call(break_it)
    try:
        with pytest.raises(ClientError) as raised:
            ssm.describe_activations()
        assert raised.value.response["Error"]["Code"] == "InternalServerError"
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        assert [record.getMessage().split(":")[0] for record in errors] == ["DescribeActivations failed"]
        assert errors[0].exc_info is None
    finally:
        shared_plane.call(lambda plane: setattr(plane.store, "activations", kept))
    assert ssm.describe_activations()["ActivationList"] == []


def test_a_body_larger_than_any_call_is_refused(shared_plane: PlaneThread) -> None:
    where = urlsplit(shared_plane.url)
    with socket.create_connection((where.hostname, where.port or 0), timeout=120) as peer:
        head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSSM.CreateActivation\r\n"
        peer.sendall(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
        assert b" 413 " in peer.recv(4096).split(b"\r\n")[0]


def test_fuzz_raw_bytes_at_the_port(shared_plane: PlaneThread, ssm: Any) -> None:
    """Invariant: whatever bytes come in, the plane answers 4xx or closes, never 5xx, and serves the next call."""
    where, chance = urlsplit(shared_plane.url), random.Random(20)
    good = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSSM.CreateActivation\r\nContent-Length: 2\r\n\r\n{}"
    for number in range(150):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 12)):
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        if number % 3 == 0:
            data = bytearray(chance.randbytes(chance.randrange(1, 200)))
        with socket.create_connection((where.hostname, where.port or 0), timeout=120) as peer:
            peer.sendall(bytes(data))
            peer.shutdown(socket.SHUT_WR)
            answer = peer.recv(65536)
        assert not answer or answer.split(b" ")[1][:1] == b"4", (bytes(data), answer)
    assert ssm.describe_activations()["ActivationList"] == []


def _value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(10 if depth < 3 else 6)
    if kind < 6:
        return chance.choice(
            [None, True, -1, 0, 2**70, 1e308, "", "x" * 300, "mi-" + "0" * 17, "tag:\x00", "é😀", "$(id)"]
        )
    if kind < 8:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    names = ["Key", "Value", "Values", "key", "valueSet", "FilterKey", "FilterValues", "x"]
    return {chance.choice(names): _value(chance, depth + 1) for _ in range(chance.randrange(4))}


def test_fuzz_signed_json(shared_plane: PlaneThread, ssm: Any) -> None:
    """Invariant: a signed call of any operation of ours with any JSON is answered 200 or a coded 4xx, never 5xx."""
    shared_plane.call(lambda plane: setattr(plane.store.settings, "long_poll", 0.0))
    members = {
        "AmazonSSM": [
            "ActivationId",
            "Filters",
            "IamRole",
            "InstanceId",
            "MaxResults",
            "NextToken",
            "ResourceId",
            "Tags",
            "ResourceType",
            "SettingId",
            "SettingValue",
            "Target",
            "Targets",
            "Parameters",
            "DocumentName",
            "CommandId",
        ],
        "EC2WindowsMessageDeliveryService": ["Destination", "MessageId", "MessagesRequestId"],
    }
    chance = random.Random(7)
    for target in [target for target in sorted(operations()) if target.partition(".")[0] in members] * 6:
        prefix = target.partition(".")[0]
        body = {chance.choice(members[prefix]): _value(chance) for _ in range(chance.randrange(6))}
        raw = json.dumps(body).encode()
        if chance.random() < 0.2:
            raw = raw[: chance.randrange(len(raw))]
        service = "ssm" if prefix == "AmazonSSM" else "ec2messages"
        answer = post(shared_plane.url, target, raw, signer(shared_plane, service))
        assert answer.status == 200 or (400 <= answer.status < 500 and answer.code), (target, raw, answer)
    assert ssm.describe_activations(MaxResults=5)
