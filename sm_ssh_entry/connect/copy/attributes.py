"""Attributes of a file as SFTP version 3 writes them (draft-ietf-secsh-filexfer-02, section 5). Pure."""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass

from sm_ssh_entry.connect.copy.fields import Reader

_SIZE, _OWNER, _PERMISSIONS, _TIMES, _EXTENDED = 0x01, 0x02, 0x04, 0x08, 0x80000000
_MOST_EXTENDED = 64
_LAST_SECOND = 0xFFFFFFFF


@dataclass(frozen=True)
class Attributes:
    """What is known, or to be set, of a file; None: not said.

    Attributes:
        size: bytes.
        owner: user and group as numbers.
        permissions: mode, file type included when it comes from a server.
        times: seconds of the epoch: last access, last change.
    """

    size: int | None = None
    owner: tuple[int, int] | None = None
    permissions: int | None = None
    times: tuple[int, int] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.permissions or 0)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file; a server that does not say is taken to mean one."""
        return self.permissions is None or stat.S_ISREG(self.permissions)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.permissions or 0)

    @property
    def mode(self) -> int | None:
        """The nine permission bits; set-user-id and its like are nobody's to copy."""
        return None if self.permissions is None else self.permissions & 0o777

    @property
    def changed(self) -> int:
        """Time of the last change, 0 where it is not said."""
        return self.times[1] if self.times else 0

    def encode(self) -> bytes:
        """Return the bytes; version 3 has 32 bits for a time, so one outside is moved to the nearest end."""
        flags, body = 0, b""
        if self.size is not None:
            flags |= _SIZE
            body += struct.pack(">Q", self.size)
        if self.owner is not None:
            flags |= _OWNER
            body += struct.pack(">II", *self.owner)
        if self.permissions is not None:
            flags |= _PERMISSIONS
            body += struct.pack(">I", self.permissions)
        if self.times is not None:
            flags |= _TIMES
            body += struct.pack(">II", *(min(max(0, second), _LAST_SECOND) for second in self.times))
        return struct.pack(">I", flags) + body

    @classmethod
    def read(cls, reader: Reader) -> Attributes:
        """Take attributes off a packet; extended ones are passed over.

        Raises:
            ProtocolError: the packet ends too early.
        """
        flags = reader.u32()
        found = cls(
            reader.u64() if flags & _SIZE else None,
            (reader.u32(), reader.u32()) if flags & _OWNER else None,
            reader.u32() if flags & _PERMISSIONS else None,
            (reader.u32(), reader.u32()) if flags & _TIMES else None,
        )
        if flags & _EXTENDED:
            for _ in range(2 * reader.count(_MOST_EXTENDED)):
                reader.string()
        return found
