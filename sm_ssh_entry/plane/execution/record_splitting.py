"""Batch transform's SplitType and BatchStrategy: an object as records, and records as the bodies of requests. Pure.

Formats: lines; RecordIO as MXNet writes it (magic, flag and length, data, padding to four bytes); TFRecord (length, its
checksum, data, its checksum).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import IO

# A line without an end must not fill the memory: MaxPayloadInMB is at most 100.
_LINE_BYTES = 100 * 1024 * 1024
_RECORDIO = struct.Struct("<II")
_RECORDIO_MAGIC = 0xCED7230A
_RECORDIO_LENGTH = (1 << 29) - 1
# Flags of a record that was cut where its data holds the magic number: whole, first part, middle, last part.
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_TFRECORD = struct.Struct("<QI")
_CHECKSUM = 4


class Malformed(Exception):
    """An object is not what SplitType says; the text says why."""


class TooLarge(Exception):
    """A record is larger than a request may be."""


def split(stream: IO[bytes], kind: str, *, framed: bool) -> Iterator[bytes]:
    """Give the records of an object; lines with nothing in them are none.

    Args:
        stream: the object.
        kind: SplitType: ``Line``, ``RecordIO`` or ``TFRecord``.
        framed: whether binary records keep what their format puts around them: the service takes it off where a
            request has a single record, and leaves it where it has several.

    Raises:
        Malformed: the object is not of that format.
        TooLarge: a line is too long to be read.
    """
    if kind == "Line":
        return _lines(stream)
    return _recordio(stream, framed=framed) if kind == "RecordIO" else _tfrecords(stream, framed=framed)


def batches(records: Iterable[tuple[bytes, bytes]], most: int, *, several: bool) -> Iterator[list[tuple[bytes, bytes]]]:
    """Give the records of one request after the other.

    Args:
        records: what the model gets of each record, and the record.
        most: bytes of a request.
        several: whether a request has as many as fit, or one.

    Raises:
        TooLarge: one alone does not fit.
    """
    held: list[tuple[bytes, bytes]] = []
    size = 0
    for given, record in records:
        if len(given) > most:
            raise TooLarge(f"a record of {len(given)} bytes is larger than MaxPayloadInMB")
        if held and (not several or size + len(given) > most):
            yield held
            held, size = [], 0
        held.append((given, record))
        size += len(given)
    if held:
        yield held


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(_LINE_BYTES):
        if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
            raise TooLarge(f"a line is longer than {_LINE_BYTES} bytes")
        if line.strip(b"\r\n"):
            yield line


def _recordio(stream: IO[bytes], *, framed: bool) -> Iterator[bytes]:
    parts: list[bytes] = []
    whole: list[bytes] = []
    while head := stream.read(_RECORDIO.size):
        magic, word = _RECORDIO.unpack(_full(head, _RECORDIO.size))
        flag, length = word >> 29, word & _RECORDIO_LENGTH
        if magic != _RECORDIO_MAGIC or flag > _LAST or (flag in (_WHOLE, _FIRST)) == bool(parts):
            raise Malformed("it is not RecordIO")
        padded = (length + 3) // 4 * 4
        data = _full(stream.read(padded), padded)
        whole.append(head + data)
        parts.append(data[:length])
        if flag in (_WHOLE, _LAST):
            # Between its parts stood the magic number itself.
            yield b"".join(whole) if framed else struct.pack("<I", _RECORDIO_MAGIC).join(parts)
            parts, whole = [], []
    if parts:
        raise Malformed("its last record is cut off")


def _tfrecords(stream: IO[bytes], *, framed: bool) -> Iterator[bytes]:
    while head := stream.read(_TFRECORD.size):
        length, _ = _TFRECORD.unpack(_full(head, _TFRECORD.size))
        if length > _LINE_BYTES:
            raise Malformed("it is not TFRecord, or a record of it is larger than a request can be")
        body = _full(stream.read(length + _CHECKSUM), length + _CHECKSUM)
        yield head + body if framed else body[:length]


def _full(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise Malformed("its last record is cut off")
    return data
