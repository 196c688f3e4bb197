"""Amazon's event stream encoding (application/vnd.amazon.eventstream), as far as a stream of parts needs it."""

from __future__ import annotations

import struct
import zlib

CONTENT_TYPE = "application/vnd.amazon.eventstream"
# A header's type: text, with its length in two bytes before it.
_TEXT = 7


def part(data: bytes) -> bytes:
    """Return the message of one PayloadPart.

    Args:
        data: its bytes.
    """
    headers = {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}
    return message(headers, data)


def failure(code: str, text: str) -> bytes:
    """Return the message of an error that ends a stream.

    Args:
        code: its code.
        text: text for people.
    """
    return message({":message-type": "error", ":error-code": code, ":error-message": text}, b"")


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one message: lengths and their checksum, headers, payload, checksum of it all.

    Args:
        headers: its headers, texts all of them.
        payload: its payload.
    """
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _TEXT, len(text)) + text
