"""AgentMessage: the binary frame that carries everything on a control or data channel.

One WebSocket message holds one frame: a header of 116 bytes, four bytes of payload length, the payload.
Everything is big-endian. The layout is that of the official agent and plugin, bytes observed on the wire.
Strategy: one ``struct`` for the whole header, one copy of the payload each way, no work that the hot path
does not need (a download is tens of thousands of these).
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError

#: Length of the header without the payload-length field: what ``HeaderLength`` says.
HEADER_BYTES = 116
#: Where the payload starts in the frames that we write.
PAYLOAD_OFFSET = HEADER_BYTES + 4
#: ``channel_closed`` of the real service lacks the PayloadType field and says 112.
SHORT_HEADER_BYTES = 112
#: Largest payload that is read or written. Official peers send 1,024 bytes, ours 32 KiB; the rest is head-room.
MAX_PAYLOAD_BYTES = 1 << 20
#: Largest header that is read: newer peers may append fields, they may not send a megabyte of them.
MAX_HEADER_BYTES = 1024
#: Largest frame that is read or written.
MAX_FRAME_BYTES = MAX_PAYLOAD_BYTES + MAX_HEADER_BYTES + 4

_TYPE_BYTES = 32
_FRAME_HEADER = struct.Struct(">I32sIQqQ8s8s32sII")
_SHORT_HEADER = struct.Struct(">I32sIQqQ8s8s32s")
_U32 = struct.Struct(">I")


class MessageType(str, Enum):
    """Names in the MessageType field."""

    INPUT_STREAM_DATA = "input_stream_data"
    OUTPUT_STREAM_DATA = "output_stream_data"
    ACKNOWLEDGE = "acknowledge"
    CHANNEL_CLOSED = "channel_closed"
    AGENT_SESSION_STATE = "agent_session_state"
    PAUSE_PUBLICATION = "pause_publication"
    START_PUBLICATION = "start_publication"
    INTERACTIVE_SHELL = "interactive_shell"
    AGENT_JOB = "agent_job"
    AGENT_JOB_ACK = "agent_job_ack"
    AGENT_JOB_REPLY = "agent_job_reply"
    AGENT_JOB_REPLY_ACK = "agent_job_reply_ack"
    AGENT_TASK_COMPLETE = "agent_task_complete"
    AGENT_TASK_ACKNOWLEDGE = "agent_task_acknowledge"


class PayloadType(IntEnum):
    """What the payload of a stream message is. Other messages carry ``NONE``."""

    NONE = 0
    OUTPUT = 1
    ERROR = 2
    SIZE = 3
    PARAMETER = 4
    HANDSHAKE_REQUEST = 5
    HANDSHAKE_RESPONSE = 6
    HANDSHAKE_COMPLETE = 7
    ENC_CHALLENGE_REQUEST = 8
    ENC_CHALLENGE_RESPONSE = 9
    FLAG = 10
    STDERR = 11
    EXIT_CODE = 12


class Flags(IntFlag):
    """The Flags field. The agent's first stream message carries SYN, acknowledgements carry both."""

    SYN = 1
    FIN = 2


@dataclass(frozen=True, slots=True)
class AgentMessage:
    """One message of a control or data channel.

    ``message_type`` is a plain string, because unknown types must survive decoding; it compares equal to
    :class:`MessageType`. ``created_ms`` is epoch milliseconds and never 0. ``sequence_number`` counts the stream
    messages of one direction from 0; other messages carry 0.
    """

    message_type: str
    payload: bytes
    message_id: uuid.UUID
    created_ms: int
    sequence_number: int = 0
    flags: int = 0
    payload_type: int = 0
    schema_version: int = 1

    def __str__(self) -> str:
        """Short form for logs. Never a byte of the payload: it is somebody's terminal."""
        name = str(self.message_type.value) if isinstance(self.message_type, MessageType) else self.message_type
        return f"{name} seq={self.sequence_number} type={self.payload_type} bytes={len(self.payload)}"


@dataclass(frozen=True, slots=True)
class Header:
    """What a relay needs to know of a frame: the payload is checked for length, not copied."""

    message_type: str
    sequence_number: int
    payload_type: int


_PADDED: dict[str, bytes] = {kind.value: kind.value.encode().ljust(_TYPE_BYTES) for kind in MessageType}
_NAMES: dict[bytes, str] = {padded: name for name, padded in _PADDED.items()}
#: Both official peers write the true length here, and the service relays their frames as they are.
_STREAM_TYPES = frozenset({MessageType.INPUT_STREAM_DATA.value, MessageType.OUTPUT_STREAM_DATA.value})


def encode_frame(
    message_type: str,
    payload: bytes | memoryview,
    message_id: uuid.UUID,
    created_ms: int,
    *,
    sequence_number: int = 0,
    flags: int = 0,
    payload_type: int = 0,
    schema_version: int = 1,
) -> bytes:
    """Build a frame without a message object in between. Arguments as the fields of :class:`AgentMessage`.

    Raises LocalProtocolError for a payload that is empty (official peers cannot read it) or over MAX_PAYLOAD_BYTES, and
    for any field that does not fit.
    """
    length = len(payload)
    if not 0 < length <= MAX_PAYLOAD_BYTES:
        raise LocalProtocolError(f"a payload has 1 to {MAX_PAYLOAD_BYTES} bytes, not {length}")
    if created_ms <= 0:
        raise LocalProtocolError("CreatedDate must be after the epoch: readers drop a message without one")
    padded = _PADDED.get(message_type) or _pad(message_type)
    identifier = message_id.bytes
    try:
        header = _FRAME_HEADER.pack(
            HEADER_BYTES,
            padded,
            schema_version,
            created_ms,
            sequence_number,
            flags,
            identifier[8:],
            identifier[:8],
            hashlib.sha256(payload).digest(),
            payload_type,
            length,
        )
    except struct.error as error:
        raise LocalProtocolError(f"a header field does not fit: {error}") from error
    return b"".join((header, payload))


def encode(message: AgentMessage) -> bytes:
    """Return the frame of a message. Raises LocalProtocolError if it cannot be one."""
    return encode_frame(
        message.message_type,
        message.payload,
        message.message_id,
        message.created_ms,
        sequence_number=message.sequence_number,
        flags=message.flags,
        payload_type=message.payload_type,
        schema_version=message.schema_version,
    )


def decode(frame: bytes) -> AgentMessage:
    """Read one frame; unknown message types are kept. Raises RemoteProtocolError on anything malformed.

    As the official readers do, the payload is the rest of the frame after HeaderLength + 4. Stream messages must also
    say their true length, so that a cut frame is never taken for data.
    """
    name, fields, payload_type, start = _open(frame)
    return AgentMessage(
        name,
        bytes(frame[start:]),
        uuid.UUID(bytes=fields[7] + fields[6]),
        fields[3],
        fields[4],
        fields[5],
        payload_type,
        fields[2],
    )


def read_header(frame: bytes) -> Header:
    """Check a frame exactly as :func:`decode` does, and return what a relay routes by."""
    name, fields, payload_type, _ = _open(frame)
    return Header(name, fields[4], payload_type)


def _pad(message_type: str) -> bytes:
    try:
        name = message_type.encode("ascii")
    except UnicodeEncodeError as error:
        raise LocalProtocolError("a message type is ASCII") from error
    if not 0 < len(name) <= _TYPE_BYTES or name != name.strip(b"\0 "):
        raise LocalProtocolError(f"a message type has 1 to {_TYPE_BYTES} characters and no padding of its own")
    return name.ljust(_TYPE_BYTES)


def _open(frame: bytes) -> tuple[str, tuple[int, bytes, int, int, int, int, bytes, bytes, bytes], int, int]:
    """Check a frame; return its type, raw fields up to the digest, payload type and the payload's offset."""
    size = len(frame)
    if size < SHORT_HEADER_BYTES + 4:
        raise RemoteProtocolError(f"a frame of {size} bytes is shorter than any header")
    if size > MAX_FRAME_BYTES:
        raise RemoteProtocolError(f"a frame of {size} bytes is over the limit of {MAX_FRAME_BYTES}")
    fields = _SHORT_HEADER.unpack_from(frame)
    header_length = fields[0]
    start = header_length + 4
    if header_length == SHORT_HEADER_BYTES:
        payload_type = 0
    elif HEADER_BYTES <= header_length <= MAX_HEADER_BYTES and start <= size:
        payload_type = _U32.unpack_from(frame, SHORT_HEADER_BYTES)[0]
    else:
        raise RemoteProtocolError(f"HeaderLength {header_length} does not fit a frame of {size} bytes")
    name = _NAMES.get(fields[1]) or _name(fields[1])
    if not fields[3]:
        raise RemoteProtocolError("CreatedDate is 0")
    if size - start > MAX_PAYLOAD_BYTES:
        raise RemoteProtocolError(f"a payload of {size - start} bytes is over the limit of {MAX_PAYLOAD_BYTES}")
    if name in _STREAM_TYPES:
        declared = _U32.unpack_from(frame, header_length)[0]
        if declared != size - start:
            raise RemoteProtocolError(f"PayloadLength says {declared}, the frame holds {size - start}")
        if fields[4] < 0:
            raise RemoteProtocolError(f"SequenceNumber {fields[4]} is negative")
    return name, fields, payload_type, start


def _name(padded: bytes) -> str:
    # Official peers pad with spaces, the service at times with NULs.
    name = padded.strip(b"\0").strip(b" ")
    if not name:
        raise RemoteProtocolError("MessageType is empty")
    if not name.isascii() or not name.decode("ascii").isprintable():
        raise RemoteProtocolError("MessageType is not printable ASCII")
    return name.decode("ascii")
