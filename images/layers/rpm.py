"""Reads the files of an .rpm, which no distribution's Python does: https://rpm-software-management.github.io/rpm/manual/format_v4.html.

A lead of 96 bytes, a header of signatures, a header of tags, then a cpio archive (cpio(5), "new ASCII"), compressed.
"""

import gzip
import lzma
import struct
from collections.abc import Iterator
from typing import NamedTuple

_LEAD = 96
_MAGIC = b"\x8e\xad\xe8"
_COMPRESSOR = 1125
_OPENERS = {"gzip": gzip.decompress, "xz": lzma.decompress, "lzma": lzma.decompress}
_CPIO = b"070701"
_CPIO_HEADER = 110
_REGULAR = 0o100000


class File(NamedTuple):
    """One regular file of a package."""

    name: str
    mode: int
    content: bytes


def _header(package: bytes, begin: int) -> tuple[dict[int, int], int]:
    """Return where a header's string tags are, and where the header ends."""
    if package[begin : begin + 3] != _MAGIC:
        raise ValueError("a header of an .rpm is missing")
    count, size = struct.unpack_from(">II", package, begin + 8)
    index = begin + 16
    store = index + 16 * count
    tags = {}
    for number in range(count):
        tag, _, offset, _ = struct.unpack_from(">IIII", package, index + 16 * number)
        tags[tag] = store + offset
    return tags, store + size


def payload(package: bytes) -> bytes:
    """Return the archive inside a package that holds its files.

    Raises:
        ValueError: it is no .rpm, or one with a compression that Python does not know.
    """
    try:
        _, end = _header(package, _LEAD)
        # The first header is padded to eight bytes.
        tags, end = _header(package, end + -end % 8)
        begin = tags.get(_COMPRESSOR)
        name = "gzip" if begin is None else package[begin : package.index(b"\0", begin)].decode()
        if name not in _OPENERS:
            raise ValueError(f"its files are compressed with {name}")
        return _OPENERS[name](package[end:])
    except (struct.error, EOFError, OSError, lzma.LZMAError) as error:
        raise ValueError(str(error)) from error


def files(package: bytes) -> Iterator[File]:
    """Give every regular file of a package.

    Raises:
        ValueError: as payload, or its archive breaks off.
    """
    archive = payload(package)
    position = 0
    while archive[position : position + 6] == _CPIO:
        fields = archive[position + 6 : position + _CPIO_HEADER]
        mode, size, name_size = (int(fields[at : at + 8], 16) for at in (8, 48, 88))
        begin = position + _CPIO_HEADER
        name = archive[begin : begin + name_size - 1].decode()
        if name == "TRAILER!!!":
            return
        begin = begin + name_size + -(begin + name_size) % 4
        if mode & 0o170000 == _REGULAR:
            yield File(name, mode, archive[begin : begin + size])
        position = begin + size + -(begin + size) % 4
    raise ValueError("its archive breaks off")
