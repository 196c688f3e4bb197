"""Numbers and strings of SFTP packets, as the SSH protocol writes them (RFC 4251, section 5). Pure."""

from __future__ import annotations

import struct


class ProtocolError(Exception):
    """The peer sent what the protocol does not allow."""


def u32(value: int) -> bytes:
    """Write a number of 32 bits."""
    return struct.pack(">I", value)


def u64(value: int) -> bytes:
    """Write a number of 64 bits."""
    return struct.pack(">Q", value)


def string(value: bytes) -> bytes:
    """Write a string: its length, then its bytes."""
    return struct.pack(">I", len(value)) + value


class Reader:
    """Takes fields off the front of a packet; nothing is read past its end.

    Args:
        data: the packet without its length.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Take one byte."""
        return self._take(1)[0]

    def u32(self) -> int:
        """Take a number of 32 bits."""
        return int.from_bytes(self._take(4), "big")

    def u64(self) -> int:
        """Take a number of 64 bits."""
        return int.from_bytes(self._take(8), "big")

    def string(self) -> bytes:
        """Take a string."""
        return self._take(self.u32())

    def count(self, most: int) -> int:
        """Take a number of things that follow.

        Raises:
            ProtocolError: there are more than ``most``.
        """
        value = self.u32()
        if value > most:
            raise ProtocolError(f"a packet announces {value} entries")
        return value

    def rest(self) -> bytes:
        """Take all that is left."""
        return self._take(len(self._data) - self._at)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._data)

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise ProtocolError("a packet ends in the middle of a field")
        taken = self._data[self._at : end]
        self._at = end
        return taken
