from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

import pytest

from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError
from sm_ssh_entry.wire.message import (
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    AgentMessage,
    Flags,
    MessageType,
    PayloadType,
    decode,
    encode,
    encode_frame,
    read_header,
)

# Written by hand from the table of the protocol page: every field on a line of its own.
INPUT = bytes.fromhex(
    "00000074"
    "696e7075745f73747265616d5f64617461 202020202020202020202020202020"
    "00000001"
    "0000018bcfe56800"
    "0000000000000007"
    "0000000000000000"
    "8899aabbccddeeff 0011223344556677"
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    "00000001"
    "00000005"
    "68656c6c6f"
)
OUTPUT = bytes.fromhex(
    "00000074"
    "6f75747075745f73747265616d5f64617461 2020202020202020202020202020"
    "00000001"
    "0000018bcfe56800"
    "0000000000000000"
    "0000000000000001"
    "f1e2d3c4b5a69788 0f1e2d3c4b5a6978"
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    "0000000a"
    "00000001"
    "00"
)
RECEIPT = bytes.fromhex(
    "00000074"
    "61636b6e6f776c65646765 202020202020202020202020202020202020202020"
    "00000001"
    "0000000000000001"
    "0000000000000000"
    "0000000000000003"
    "0000000000000000 0000000000000001"
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    "00000000"
    "00000002"
    "7b7d"
)
UUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
BOTH_WAYS = [
    (
        INPUT,
        AgentMessage(
            "input_stream_data", b"hello", UUID, 1_700_000_000_000, sequence_number=7, payload_type=PayloadType.OUTPUT
        ),
    ),
    (
        OUTPUT,
        AgentMessage(
            "output_stream_data",
            b"\0",
            uuid.UUID("0f1e2d3c-4b5a-6978-f1e2-d3c4b5a69788"),
            1_700_000_000_000,
            flags=Flags.SYN,
            payload_type=PayloadType.FLAG,
        ),
    ),
    (RECEIPT, AgentMessage("acknowledge", b"{}", uuid.UUID(int=1 << 64), 1, flags=Flags.SYN | Flags.FIN)),
]
STREAM = [INPUT, OUTPUT]


def changed(frame: bytes, offset: int, new: bytes) -> bytes:
    return frame[:offset] + new + frame[offset + len(new) :]


@pytest.mark.parametrize(("frame", "message"), BOTH_WAYS)
def test_one_literal_both_ways(frame: bytes, message: AgentMessage) -> None:
    assert encode(message) == frame
    assert decode(frame) == message


@pytest.mark.parametrize(("frame", "message"), BOTH_WAYS)
def test_a_relay_reads_the_header_alone(frame: bytes, message: AgentMessage) -> None:
    header = read_header(frame)
    assert header.message_type == message.message_type
    assert header.sequence_number == message.sequence_number
    assert header.payload_type == message.payload_type


@pytest.mark.parametrize("frame", STREAM)
def test_a_stream_frame_cut_anywhere_is_malformed(frame: bytes) -> None:
    for end in range(len(frame)):
        with pytest.raises(RemoteProtocolError):
            decode(frame[:end])
        with pytest.raises(RemoteProtocolError):
            read_header(frame[:end])


@pytest.mark.parametrize("frame", STREAM)
def test_a_stream_frame_with_trailing_bytes_is_malformed(frame: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(frame + b"\0")


def test_other_frames_end_where_the_frame_ends_whatever_their_length_says() -> None:
    for end in range(len(RECEIPT) - 2):
        with pytest.raises(RemoteProtocolError):
            decode(RECEIPT[:end])
    assert decode(RECEIPT[:-1]).payload == b"{"
    assert decode(RECEIPT + b"\0\0").payload == b"{}\0\0"
    assert decode(RECEIPT[:-2]).payload == b""


def test_the_type_may_be_padded_with_nuls_or_both() -> None:
    for padding in (b"\0" * 21, b" " * 10 + b"\0" * 11):
        assert decode(changed(RECEIPT, 4, b"acknowledge" + padding)).message_type == MessageType.ACKNOWLEDGE


def test_channel_closed_of_the_real_service() -> None:
    # A header four bytes shorter (no PayloadType) and NULs behind the name.
    frame = (
        b"\0\0\0\x70"
        + b"channel_closed".ljust(32, b"\0")
        + RECEIPT[36:112]
        + len(b'{"Output":"bye"}').to_bytes(4, "big")
        + b'{"Output":"bye"}'
    )
    message = decode(frame)
    assert message.message_type == MessageType.CHANNEL_CLOSED
    assert message.payload == b'{"Output":"bye"}'
    assert message.payload_type == 0


def test_a_longer_header_is_skipped() -> None:
    frame = changed(INPUT, 0, (118).to_bytes(4, "big"))
    assert decode(frame[:116] + b"xx" + frame[116:]).payload == b"hello"


@pytest.mark.parametrize(
    ("offset", "new"),
    [
        pytest.param(0, b"\0\0\0\0", id="no header length"),
        pytest.param(0, b"\0\0\0\x6f", id="header length below any"),
        pytest.param(0, b"\0\0\0\x72", id="header length within PayloadType"),
        pytest.param(0, b"\0\0\x04\x01", id="header length over the limit"),
        pytest.param(0, b"\xff\xff\xff\xff", id="header length of four gigabytes"),
        pytest.param(4, b" " * 32, id="no type"),
        pytest.param(4, b"\0" * 32, id="no type, NULs"),
        pytest.param(4, b"caf\xc3\xa9", id="type not ASCII"),
        pytest.param(4, b"a\nb", id="type with a line break"),
        pytest.param(40, b"\0" * 8, id="no date"),
        pytest.param(48, b"\xff" * 8, id="negative number"),
        pytest.param(116, b"\0\0\0\4", id="length too small"),
        pytest.param(116, b"\0\0\0\6", id="length too large"),
    ],
)
def test_malformed(offset: int, new: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(changed(INPUT, offset, new))


def test_unknown_types_are_decoded() -> None:
    message = replace(BOTH_WAYS[0][1], message_type="brand_new_thing")
    assert decode(encode(message)) == message


def test_the_largest_payload_passes_and_one_byte_more_does_not() -> None:
    frame = encode_frame("input_stream_data", bytes(MAX_PAYLOAD_BYTES), UUID, 1)
    assert len(decode(frame).payload) == MAX_PAYLOAD_BYTES
    assert len(frame) <= MAX_FRAME_BYTES
    larger = changed(frame, 116, (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "big")) + b"x"
    with pytest.raises(RemoteProtocolError, match="over the limit"):
        decode(larger)
    with pytest.raises(RemoteProtocolError, match="over the limit"):
        decode(bytes(MAX_FRAME_BYTES + 1))


def test_the_digest_is_that_of_the_payload() -> None:
    assert encode_frame("acknowledge", memoryview(b"abc"), UUID, 1)[80:112] == hashlib.sha256(b"abc").digest()


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"payload": b""}, id="empty payload"),
        pytest.param({"payload": bytes(MAX_PAYLOAD_BYTES + 1)}, id="payload too large"),
        pytest.param({"created_ms": 0}, id="no date"),
        pytest.param({"created_ms": 1 << 64}, id="date too large"),
        pytest.param({"sequence_number": 1 << 63}, id="number too large"),
        pytest.param({"payload_type": -1}, id="negative payload type"),
        pytest.param({"flags": -1}, id="negative flags"),
        pytest.param({"message_type": ""}, id="no type"),
        pytest.param({"message_type": "x" * 33}, id="type too long"),
        pytest.param({"message_type": " padded"}, id="padded type"),
        pytest.param({"message_type": "é"}, id="type not ASCII"),
    ],
)
def test_what_cannot_be_sent(bad: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        encode(replace(BOTH_WAYS[0][1], **bad))  # type: ignore[arg-type]


def test_the_short_form_shows_no_payload() -> None:
    secret = replace(BOTH_WAYS[0][1], payload=b"hunter2")
    assert str(secret) == "input_stream_data seq=7 type=1 bytes=7"
