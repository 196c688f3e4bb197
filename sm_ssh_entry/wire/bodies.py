"""Stream payloads by type: how each is read, who receives it, and which of them have to wait for the handshake."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from sm_ssh_entry.wire.message import PayloadType
from sm_ssh_entry.wire.payloads import (
    ExitCode,
    Flag,
    HandshakeComplete,
    HandshakeRequest,
    HandshakeResponse,
    Size,
)

#: What a stream payload was read as. Bytes are the stream itself, or a payload of a type that has no place here.
Body = bytes | Size | Flag | ExitCode | HandshakeRequest | HandshakeResponse | HandshakeComplete


class Role(Enum):
    """Which end of the session this is. The service between the two is ``relay.Relay``."""

    CLIENT = "client"
    AGENT = "agent"


#: Bytes of the stream.
STREAM_BYTES: frozenset[int] = frozenset({PayloadType.OUTPUT, PayloadType.STDERR})
#: Everything that may flow only once the handshake is over, or skipped.
DATA: frozenset[int] = STREAM_BYTES | {PayloadType.SIZE, PayloadType.EXIT_CODE}
#: The payload types that have a meaning for each role.
RECEIVED: dict[Role, frozenset[int]] = {
    Role.CLIENT: DATA - {PayloadType.SIZE}
    | {PayloadType.FLAG, PayloadType.HANDSHAKE_REQUEST, PayloadType.HANDSHAKE_COMPLETE},
    Role.AGENT: frozenset(
        {PayloadType.OUTPUT, PayloadType.SIZE, PayloadType.FLAG, PayloadType.HANDSHAKE_RESPONSE},
    ),
}

_PARSERS: dict[int, Callable[[bytes], Body]] = {
    PayloadType.SIZE: Size.decode,
    PayloadType.FLAG: Flag.decode,
    PayloadType.EXIT_CODE: ExitCode.decode,
    PayloadType.HANDSHAKE_REQUEST: HandshakeRequest.decode,
    PayloadType.HANDSHAKE_RESPONSE: HandshakeResponse.decode,
    PayloadType.HANDSHAKE_COMPLETE: HandshakeComplete.decode,
}


def parse(payload_type: int, payload: bytes) -> Body:
    """Read a stream payload. Raises RemoteProtocolError; unknown types come back as they are."""
    parser = _PARSERS.get(payload_type)
    return payload if parser is None else parser(payload)
