"""Frames as a peer or the service would send them, and what came out of a channel, read."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.wire.channel import DataChannel
from sm_ssh_entry.wire.message import AgentMessage, MessageType, PayloadType, decode, encode
from sm_ssh_entry.wire.payloads import Acknowledge
from tests.wire.pair import ids, make_client

_new_id = ids(1 << 100)


def stream(kind: MessageType, number: int, payload_type: int, payload: bytes) -> bytes:
    return encode(AgentMessage(kind, payload, _new_id(), 1, number, 0, payload_type))


def output(number: int, payload: bytes, payload_type: int = PayloadType.OUTPUT) -> bytes:
    return stream(MessageType.OUTPUT_STREAM_DATA, number, payload_type, payload)


def typed(number: int, payload: bytes, payload_type: int = PayloadType.OUTPUT) -> bytes:
    return stream(MessageType.INPUT_STREAM_DATA, number, payload_type, payload)


def service(kind: str, payload: bytes = b"{}") -> bytes:
    return encode(AgentMessage(kind, payload, _new_id(), 1))


def sent(channel: DataChannel) -> list[AgentMessage]:
    return [decode(frame) for frame in channel.frames_to_send()]


def receipts(messages: list[AgentMessage]) -> list[int]:
    return [
        Acknowledge.decode(one.payload).sequence_number
        for one in messages
        if one.message_type == MessageType.ACKNOWLEDGE
    ]


def shell_client(**options: Any) -> DataChannel:
    """A client of a shell session that has had one byte, number 0."""
    client = make_client(**options)
    client.connected(0.0)
    client.receive(output(0, b"$"), 0.0)
    client.frames_to_send()
    return client
