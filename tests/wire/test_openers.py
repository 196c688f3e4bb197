from __future__ import annotations

import pytest

from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.openers import (
    MAX_OPENER_CHARS,
    OpenAgentChannel,
    OpenClientChannel,
    OpenControlChannel,
    decode_data_opener,
)

CLIENT = (
    '{"MessageSchemaVersion":"1.0","RequestId":"u1","TokenValue":"T","ClientId":"u2","ClientVersion":"1.2.700.0"}',
    OpenClientChannel("T", "u1", "u2", "1.2.700.0"),
)
AGENT = (
    '{"MessageSchemaVersion":"1.0","RequestId":"u1","TokenValue":"T","ClientInstanceId":"mi-0","ClientId":""}',
    OpenAgentChannel("T", "u1", "mi-0"),
)
CONTROL = (
    '{"Cookie":null,"MessageSchemaVersion":"1.0","RequestId":"u1","TokenValue":"T","AgentVersion":"3.3.0.0",'
    '"PlatformType":"linux"}',
    OpenControlChannel("T", "u1", "3.3.0.0"),
)


@pytest.mark.parametrize(("text", "opener"), [CLIENT, AGENT])
def test_data_openers_both_ways(text: str, opener: OpenClientChannel | OpenAgentChannel) -> None:
    assert opener.encode() == text
    assert decode_data_opener(text) == opener


def test_control_opener_both_ways() -> None:
    assert CONTROL[1].encode() == CONTROL[0]
    assert OpenControlChannel.decode(CONTROL[0]) == CONTROL[1]


@pytest.mark.parametrize("text", [CLIENT[0], AGENT[0]])
def test_a_cut_opener_is_malformed(text: str) -> None:
    for end in range(len(text)):
        with pytest.raises(RemoteProtocolError):
            decode_data_opener(text[:end])
    with pytest.raises(RemoteProtocolError):
        decode_data_opener(text + "{}")


def test_an_opener_without_a_token_or_of_nobody_is_refused() -> None:
    for text in ('{"ClientVersion":"1"}', '{"TokenValue":null,"ClientVersion":"1"}', '{"TokenValue":"T"}'):
        with pytest.raises(RemoteProtocolError):
            decode_data_opener(text)
    with pytest.raises(RemoteProtocolError):
        OpenControlChannel.decode('{"AgentVersion":"3"}')


def test_an_opener_has_a_limit() -> None:
    padded = CLIENT[0] + " " * (MAX_OPENER_CHARS - len(CLIENT[0]))
    assert decode_data_opener(padded) == CLIENT[1]
    with pytest.raises(RemoteProtocolError, match="over the limit"):
        decode_data_opener(padded + " ")
