from __future__ import annotations

import json
from typing import Any

import pytest

from sm_ssh_entry.wire import payloads as p
from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError

ACK_ID = "dd01e56b-ff48-483e-a508-b5f073f31b16"
# What the official peers write, as the protocol page shows it.
BOTH_WAYS: list[tuple[bytes, Any]] = [
    (
        b'{"AcknowledgedMessageType":"output_stream_data","AcknowledgedMessageId":"' + ACK_ID.encode() + b'",'
        b'"AcknowledgedMessageSequenceNumber":12,"IsSequentialMessage":true}',
        p.Acknowledge("output_stream_data", ACK_ID, 12),
    ),
    (
        b'{"AgentVersion":"3.3.0.0","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":'
        b'{"SessionType":"Port","Properties":{"portNumber":"22"}}}]}',
        p.HandshakeRequest("3.3.0.0", (p.SessionTypeAction("Port", {"portNumber": "22"}),)),
    ),
    (
        b'{"AgentVersion":"3.3.0.0","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":'
        b'{"SessionType":"NonInteractiveCommands","Properties":null}},{"ActionType":"KMSEncryption",'
        b'"ActionParameters":{"KMSKeyId":"k","Challenge":"Y2g="}}]}',
        p.HandshakeRequest("3.3.0.0", (p.SessionTypeAction("NonInteractiveCommands"), p.KmsAction("k", "Y2g="))),
    ),
    (
        b'{"ClientVersion":"1.2.700.0","ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":1,'
        b'"ActionResult":null,"Error":""}],"Errors":null}',
        p.HandshakeResponse("1.2.700.0", (p.ProcessedAction("SessionType", p.ActionStatus.SUCCESS),)),
    ),
    (
        b'{"ClientVersion":"1","ProcessedClientActions":[],"Errors":["a","b"]}',
        p.HandshakeResponse("1", (), ("a", "b")),
    ),
    (
        b'{"HandshakeTimeToComplete":1500000,"CustomerMessage":"hello"}',
        p.HandshakeComplete(1_500_000, "hello"),
    ),
    (b'{"cols":132,"rows":43}', p.Size(132, 43)),
    (b"\x00\x00\x00\x02", p.Flag(p.SessionFlag.TERMINATE_SESSION)),
    (b"EXIT_CODE: 7", p.ExitCode(7)),
    (
        b'{"MessageType":"channel_closed","MessageId":"u","DestinationId":"mi-1","SessionId":"s","SchemaVersion":1,'
        b'"CreatedDate":"1700000000000","Output":"bye"}',
        p.ChannelClosed("u", "s", "bye", "mi-1", "1700000000000"),
    ),
    (
        b'{"SchemaVersion":1,"SessionState":"Terminating","SessionId":"s"}',
        p.SessionState(p.SessionStatus.TERMINATING, "s"),
    ),
]
JSON_CLASSES = [
    p.Acknowledge,
    p.HandshakeRequest,
    p.HandshakeResponse,
    p.HandshakeComplete,
    p.Size,
    p.ChannelClosed,
    p.SessionState,
]


@pytest.mark.parametrize(("payload", "value"), BOTH_WAYS)
def test_one_literal_both_ways(payload: bytes, value: Any) -> None:
    assert value.encode() == payload
    assert type(value).decode(payload) == value


@pytest.mark.parametrize(("payload", "value"), BOTH_WAYS)
def test_cut_anywhere_it_is_malformed(payload: bytes, value: Any) -> None:
    for end in range(len(payload)):
        with pytest.raises(RemoteProtocolError):
            type(value).decode(payload[:end])


@pytest.mark.parametrize(("payload", "value"), BOTH_WAYS)
def test_trailing_bytes(payload: bytes, value: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        type(value).decode(payload + b"x")
    if not isinstance(value, p.Flag | p.ExitCode):
        assert type(value).decode(payload + b"\0\0") == value


@pytest.mark.parametrize("kind", JSON_CLASSES)
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"a":' * 100_000, id="deeper"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="huge number"),
        pytest.param(b'{"Output":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"Output":5,"SessionState":5,"cols":"1","AgentVersion":[],"ClientVersion":{}}', id="types"),
    ],
)
def test_json_that_is_none_of_ours(kind: Any, payload: bytes) -> None:
    if kind in {p.HandshakeComplete, p.ChannelClosed} and payload.startswith(b'{"Output":5'):
        payload = b'{"Output":5,"CustomerMessage":5}'
    with pytest.raises(RemoteProtocolError):
        kind.decode(payload)


def test_keys_match_in_any_case_and_unknown_ones_are_ignored() -> None:
    assert p.Size.decode(b'{"COLS":1,"Rows":2,"depth":[{}]}') == p.Size(1, 2)


def test_an_acknowledge_may_be_spelled_in_any_way() -> None:
    spelled = json.dumps(json.loads(BOTH_WAYS[0][0]), indent=2, sort_keys=True).encode()
    assert p.Acknowledge.decode(spelled) == BOTH_WAYS[0][1]


def test_an_acknowledge_with_an_odd_type_or_id_is_quoted_properly() -> None:
    odd = p.Acknowledge('a"b', "not a uuid\n", 3, is_sequential=False)
    assert p.Acknowledge.decode(odd.encode()) == odd
    assert json.loads(odd.encode())["AcknowledgedMessageType"] == 'a"b'


@pytest.mark.parametrize("number", [b"-1", b"1e3", b"true", b'"1"', b"9223372036854775808"])
def test_an_acknowledge_needs_a_number(number: bytes) -> None:
    payload = BOTH_WAYS[0][0].replace(b":12,", b":" + number + b",")
    with pytest.raises(RemoteProtocolError):
        p.Acknowledge.decode(payload)


@pytest.mark.parametrize(
    "payload", [b'{"cols":-1,"rows":1}', b'{"cols":65536,"rows":1}', b'{"cols":true,"rows":1}', b'{"cols":1}']
)
def test_a_size_must_fit_a_pty(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        p.Size.decode(payload)


@pytest.mark.parametrize("payload", [b"", b"\0\0\0", b"\0\0\0\0\1"])
def test_a_flag_is_four_bytes(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        p.Flag.decode(payload)


def test_a_flag_of_unknown_value_is_kept() -> None:
    assert p.Flag.decode(b"\xff\xff\xff\xff") == p.Flag(0xFFFFFFFF)


@pytest.mark.parametrize(("payload", "code"), [(b"EXIT_CODE: 0", 0), (b"EXIT_CODE: 255\n", 255), (b"EXIT_CODE:-1", -1)])
def test_exit_codes(payload: bytes, code: int) -> None:
    assert p.ExitCode.decode(payload).value == code


@pytest.mark.parametrize("payload", [b"", b"EXIT_CODE: ", b"EXIT_CODE: x", b"7", b"EXIT_CODE: 12345678901", b"\xff"])
def test_no_exit_codes(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        p.ExitCode.decode(payload)


def test_unknown_actions_are_kept_to_be_refused() -> None:
    request = p.HandshakeRequest.decode(
        b'{"AgentVersion":"9","RequestedClientActions":[{"ActionType":"Dance","ActionParameters":7}]}'
    )
    assert request.actions == (p.UnknownAction("Dance"),)
    with pytest.raises(LocalProtocolError):
        request.encode()


@pytest.mark.parametrize(
    "actions",
    [
        b"{}",
        b'["x"]',
        b'[{"ActionType":"SessionType"}]',
        b'[{"ActionType":"SessionType","ActionParameters":{"SessionType":"Port","Properties":"x"}}]',
        b'[{"ActionType":"SessionType","ActionParameters":{"Properties":{}}}]',
        b"[" + b",".join([b'{"ActionType":"x"}'] * 65) + b"]",
    ],
)
def test_malformed_actions(actions: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        p.HandshakeRequest.decode(b'{"AgentVersion":"1","RequestedClientActions":' + actions + b"}")


def test_malformed_errors() -> None:
    for errors in (b"5", b"[5]", b'{"a":1}'):
        with pytest.raises(RemoteProtocolError):
            p.HandshakeResponse.decode(b'{"ClientVersion":"1","Errors":' + errors + b"}")


def test_channel_closed_needs_nothing_but_to_be_an_object() -> None:
    assert p.ChannelClosed.decode(b"{}\0\0").output == ""
    assert p.ChannelClosed.decode(b'{"CreatedDate":1700000000000}').created_date == "1700000000000"
