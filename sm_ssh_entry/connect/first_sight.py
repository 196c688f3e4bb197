"""The host key in the stream of an SSH server, found before the packet that shows it goes on to ``ssh``. Pure.

Until both sides have new keys the binary packets are in the clear (RFC 4253, 6): length, length of padding, payload,
padding. The reply of the key exchange holds the server's public host key, K_S, as its first string: message 31 in all
exchanges with curves or ML-KEM (RFC 5656, 4; RFC 8731, 3) and in plain Diffie-Hellman (RFC 4253, 8), message 33 where
the group is negotiated (RFC 4419, 3), whose message 31 holds a prime there.
"""

from __future__ import annotations

import base64
import re
from enum import Enum

_REPLIES = (31, 33)
_NEW_KEYS = 21
_VERSION = b"SSH-"
# RFC 4253, 4.2 and 6.1: a line has 255 bytes, a packet 35,000 that everybody must take. OpenSSH itself draws the line
# at 256 KiB. A server may say some lines first; more than a page of them is none that we wait for.
_LINE_MAX = 255
_LINES_MAX = 1024
_PACKET_MAX = 1 << 18
_TYPE = re.compile(rb"[a-z0-9@.-]{1,64}")


class _State(Enum):
    LINES = "lines"
    PACKETS = "packets"
    OVER = "over"


class FirstSight:
    """Reads what a server sends until its host key has passed. Whatever else comes ends the search only."""

    def __init__(self) -> None:
        self._state = _State.LINES
        self._held = bytearray()
        self._lines = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be learned from this stream."""
        return self._state is _State.OVER

    def feed(self, data: bytes) -> str:
        """Take the next bytes of the stream.

        Args:
            data: any piece of it, in order.

        Returns:
            The host key, ``ssh-ed25519 AAAA…``, as soon as its packet is whole; ``""``: not in here.
        """
        if self.is_over:
            return ""
        self._held += data
        while self._state is _State.LINES and self._take_line():
            pass
        while self._state is _State.PACKETS:
            payload = self._take_packet()
            if payload is None:
                break
            key = self._key_in(payload)
            if key:
                self._end()
                return key
        return ""

    def _take_line(self) -> bool:
        """Take one line of the greeting; return whether there may be another."""
        end = self._held.find(b"\n", 0, _LINE_MAX + 1)
        if end < 0:
            if len(self._held) > _LINE_MAX:
                self._end()
            return False
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        self._lines += 1
        if line.startswith(_VERSION):
            self._state = _State.PACKETS
            return False
        if self._lines >= _LINES_MAX:
            self._end()
            return False
        return True

    def _take_packet(self) -> bytes | None:
        """Take one packet and return its payload; None where it is not whole yet, or is none."""
        if len(self._held) < 5:
            return None
        length, padding = int.from_bytes(self._held[:4], "big"), self._held[4]
        if not padding + 1 < length <= _PACKET_MAX:
            self._end()
            return None
        if len(self._held) < 4 + length:
            return None
        payload = bytes(self._held[5 : 4 + length - padding])
        del self._held[: 4 + length]
        return payload

    def _key_in(self, payload: bytes) -> str:
        if payload[0] == _NEW_KEYS:
            self._end()
        if payload[0] not in _REPLIES:
            return ""
        blob = _string(payload[1:])
        kind = _string(blob) if blob else None
        if not blob or not kind or not _TYPE.fullmatch(kind) or len(blob) <= 4 + len(kind):
            return ""
        return f"{kind.decode('ascii')} {base64.b64encode(blob).decode('ascii')}"

    def _end(self) -> None:
        self._state = _State.OVER
        self._held.clear()


def _string(data: bytes) -> bytes | None:
    """Return the string that begins some bytes (RFC 4251, 5); None where it is not whole."""
    length = int.from_bytes(data[:4], "big")
    return data[4 : 4 + length] if len(data) >= 4 + length and len(data) >= 4 else None
