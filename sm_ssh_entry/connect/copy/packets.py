"""SFTP version 3 packets: what we ask, what is answered, both ways (draft-ietf-secsh-filexfer-02). Pure.

Each packet is a class with its fields in order; ``KINDS`` says how each is written. The extensions are OpenSSH's own
(its file PROTOCOL, section 4): ``posix-rename@openssh.com``, ``statvfs@openssh.com``, ``limits@openssh.com``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, TypeVar

from sm_ssh_entry.connect.copy.attributes import Attributes
from sm_ssh_entry.connect.copy.fields import ProtocolError, Reader, string, u32, u64

VERSION = 3
# OpenSSH's servers and clients neither send nor take longer packets (SFTP_MAX_MSG_LENGTH in its sftp-common.h).
LONGEST = 256 * 1024
_MOST_NAMES = 10_000
_MOST_EXTENSIONS = 256

OPEN_READ, OPEN_WRITE, OPEN_CREATE, OPEN_TRUNCATE = 0x01, 0x02, 0x08, 0x10

OK, END_OF_FILE, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE = range(6)
NO_CONNECTION, CONNECTION_LOST, UNSUPPORTED = 6, 7, 8

POSIX_RENAME = b"posix-rename@openssh.com"
STATVFS = b"statvfs@openssh.com"
LIMITS = b"limits@openssh.com"


class Name(NamedTuple):
    """One entry of a folder: its name, how ``ls -l`` would show it, its attributes (of a link: its own)."""

    name: bytes
    long: bytes
    attributes: Attributes


def _write_names(names: tuple[Name, ...]) -> bytes:
    return u32(len(names)) + b"".join(string(one.name) + string(one.long) + one.attributes.encode() for one in names)


def _read_names(reader: Reader) -> tuple[Name, ...]:
    return tuple(
        Name(reader.string(), reader.string(), Attributes.read(reader)) for _ in range(reader.count(_MOST_NAMES))
    )


def _write_pairs(pairs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"".join(string(name) + string(value) for name, value in pairs)


def _read_pairs(reader: Reader) -> tuple[tuple[bytes, bytes], ...]:
    pairs: list[tuple[bytes, bytes]] = []
    while not reader.is_done:
        if len(pairs) == _MOST_EXTENSIONS:
            raise ProtocolError("a server names too many extensions")
        pairs.append((reader.string(), reader.string()))
    return tuple(pairs)


# kind of field -> how it is written and read.
_KINDS: dict[str, tuple[Callable[[Any], bytes], Callable[[Reader], Any]]] = {
    "u32": (u32, Reader.u32),
    "u64": (u64, Reader.u64),
    "string": (string, Reader.string),
    "attributes": (Attributes.encode, Attributes.read),
    "names": (_write_names, _read_names),
    "pairs": (_write_pairs, _read_pairs),
    "rest": (bytes, Reader.rest),
}

P = TypeVar("P", bound="type[Packet]")
_BY_TYPE: dict[int, type[Packet]] = {}


@dataclass(frozen=True)
class Packet:
    """A packet without its length and, where it has one, its request's number.

    Attributes:
        TYPE: its first byte.
        KINDS: how each field is written, in order.
        NUMBERED: whether a request's number follows the type.
    """

    TYPE: ClassVar[int] = 0
    KINDS: ClassVar[tuple[str, ...]] = ()
    NUMBERED: ClassVar[bool] = True

    def encode(self, number: int = 0) -> bytes:
        """Return the whole packet, its length first.

        Args:
            number: of the request.
        """
        body = bytes([self.TYPE]) + (u32(number) if self.NUMBERED else b"")
        for field, kind in zip(fields(self), self.KINDS, strict=True):
            body += _KINDS[kind][0](getattr(self, field.name))
        return u32(len(body)) + body


def decode(data: bytes) -> tuple[int, Packet]:
    """Return the number of the request that a packet is or answers (0 where it has none), and the packet.

    Args:
        data: a packet without its length.

    Raises:
        ProtocolError: it is none, or it has too few bytes or too many.
    """
    reader = Reader(data)
    of = _BY_TYPE.get(reader.byte())
    if of is None:
        raise ProtocolError(f"there is no packet of type {data[0]}")
    number = reader.u32() if of.NUMBERED else 0
    packet = of(*(_KINDS[kind][1](reader) for kind in of.KINDS))
    if not reader.is_done:
        raise ProtocolError(f"a packet of type {data[0]} is too long")
    return number, packet


def _packet(number: int, *kinds: str, numbered: bool = True) -> Callable[[P], P]:
    def register(of: P) -> P:
        of.TYPE, of.KINDS, of.NUMBERED = number, kinds, numbered
        _BY_TYPE[number] = of
        return of

    return register


@_packet(1, "u32", "pairs", numbered=False)
@dataclass(frozen=True)
class Init(Packet):
    """We speak this version."""

    version: int = VERSION
    extensions: tuple[tuple[bytes, bytes], ...] = ()


@_packet(2, "u32", "pairs", numbered=False)
@dataclass(frozen=True)
class Version(Packet):
    """The server speaks this version, and has these extensions."""

    version: int
    extensions: tuple[tuple[bytes, bytes], ...] = ()


@_packet(3, "string", "u32", "attributes")
@dataclass(frozen=True)
class Open(Packet):
    """Open a file; attributes are for one that is made."""

    path: bytes
    flags: int
    attributes: Attributes = Attributes()  # noqa: RUF009 - frozen


@_packet(4, "string")
@dataclass(frozen=True)
class Close(Packet):
    """Close a handle."""

    handle: bytes


@_packet(5, "string", "u64", "u32")
@dataclass(frozen=True)
class Read(Packet):
    """Read from an offset; fewer bytes may come."""

    handle: bytes
    offset: int
    length: int


@_packet(6, "string", "u64", "string")
@dataclass(frozen=True)
class Write(Packet):
    """Write at an offset."""

    handle: bytes
    offset: int
    data: bytes


@_packet(7, "string")
@dataclass(frozen=True)
class Lstat(Packet):
    """Attributes of a path, of a link its own."""

    path: bytes


@_packet(9, "string", "attributes")
@dataclass(frozen=True)
class Setstat(Packet):
    """Set attributes of a path."""

    path: bytes
    attributes: Attributes


@_packet(11, "string")
@dataclass(frozen=True)
class Opendir(Packet):
    """Open a folder."""

    path: bytes


@_packet(12, "string")
@dataclass(frozen=True)
class Readdir(Packet):
    """The next entries of a folder."""

    handle: bytes


@_packet(13, "string")
@dataclass(frozen=True)
class Remove(Packet):
    """Remove a file."""

    path: bytes


@_packet(14, "string", "attributes")
@dataclass(frozen=True)
class Mkdir(Packet):
    """Make a folder."""

    path: bytes
    attributes: Attributes = Attributes()  # noqa: RUF009 - frozen


@_packet(16, "string")
@dataclass(frozen=True)
class Realpath(Packet):
    """The whole path, without links and dots."""

    path: bytes


@_packet(17, "string")
@dataclass(frozen=True)
class Stat(Packet):
    """Attributes of what a path leads to."""

    path: bytes


@_packet(18, "string", "string")
@dataclass(frozen=True)
class Rename(Packet):
    """Rename; fails where the new path is taken."""

    old: bytes
    new: bytes


@_packet(200, "string", "rest")
@dataclass(frozen=True)
class Extended(Packet):
    """A request of an extension."""

    name: bytes
    data: bytes


@_packet(101, "u32", "string", "string")
@dataclass(frozen=True)
class Status(Packet):
    """How a request ended, if it brings nothing else."""

    code: int
    message: bytes = b""
    language: bytes = b""


@_packet(102, "string")
@dataclass(frozen=True)
class Handle(Packet):
    """What was opened."""

    handle: bytes


@_packet(103, "string")
@dataclass(frozen=True)
class Data(Packet):
    """What was read."""

    data: bytes


@_packet(104, "names")
@dataclass(frozen=True)
class Names(Packet):
    """Entries of a folder, or a path."""

    names: tuple[Name, ...]


@_packet(105, "attributes")
@dataclass(frozen=True)
class Attrs(Packet):
    """Attributes of a file."""

    attributes: Attributes


@_packet(201, "rest")
@dataclass(frozen=True)
class ExtendedReply(Packet):
    """What an extension answers."""

    data: bytes
