"""Objects as records, and records as requests."""

from __future__ import annotations

import io
import struct

import pytest

from sm_ssh_entry.plane.execution.record_splitting import Malformed, TooLarge, batches, split

MAGIC = 0xCED7230A


def recordio(*parts: tuple[int, bytes]) -> bytes:
    """Return RecordIO of (flag, data) as MXNet writes it."""
    made = b""
    for flag, data in parts:
        made += struct.pack("<II", MAGIC, flag << 29 | len(data)) + data + b"\0" * (-len(data) % 4)
    return made


def tfrecord(data: bytes) -> bytes:
    return struct.pack("<QI", len(data), 0) + data + struct.pack("<I", 0)


def records(content: bytes, kind: str, *, framed: bool = False) -> list[bytes]:
    return list(split(io.BytesIO(content), kind, framed=framed))


def test_lines_keep_their_ends_and_empty_ones_are_none() -> None:
    assert records(b"1,2\r\n\n3,4\n\r\n5", "Line") == [b"1,2\r\n", b"3,4\n", b"5"]
    assert records(b"", "Line") == []


def test_lines_together_are_the_object() -> None:
    content = b"".join(b"%d,x\n" % number for number in range(1000))
    assert b"".join(records(content, "Line")) == content


def test_recordio_loses_its_frame_where_a_request_has_one_record() -> None:
    content = recordio((0, b"abc"), (0, b"defgh"), (0, b""))
    assert records(content, "RecordIO") == [b"abc", b"defgh", b""]
    framed = records(content, "RecordIO", framed=True)
    assert b"".join(framed) == content
    assert [len(one) for one in framed] == [12, 16, 8]


def test_recordio_puts_a_record_of_several_parts_together() -> None:
    content = recordio((1, b"abcd"), (2, b"efgh"), (3, b"ij"), (0, b"k"))
    magic = struct.pack("<I", MAGIC)
    assert records(content, "RecordIO") == [b"abcd" + magic + b"efgh" + magic + b"ij", b"k"]
    assert b"".join(records(content, "RecordIO", framed=True)) == content


def test_tfrecords() -> None:
    content = tfrecord(b"abc") + tfrecord(b"")
    assert records(content, "TFRecord") == [b"abc", b""]
    assert records(content, "TFRecord", framed=True) == [tfrecord(b"abc"), tfrecord(b"")]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"1,2\n3,4\n", "RecordIO"),
        (recordio((0, b"abc"))[:-1], "RecordIO"),
        (recordio((1, b"abc")), "RecordIO"),
        (recordio((2, b"abc")), "RecordIO"),
        (recordio((1, b"abc"), (0, b"abc")), "RecordIO"),
        (b"1,2\n3,4\n5,6\n7,8\n", "TFRecord"),
        (tfrecord(b"abc")[:-1], "TFRecord"),
        (b"abc", "TFRecord"),
    ],
)
def test_what_is_of_another_format_is_refused(content: bytes, kind: str) -> None:
    with pytest.raises(Malformed):
        records(content, kind)


def grouped(sizes: list[int], most: int, *, several: bool = True) -> list[list[int]]:
    pairs = [(b"x" * size, b"") for size in sizes]
    return [[len(given) for given, _ in batch] for batch in batches(pairs, most, several=several)]


def test_a_request_has_as_many_records_as_fit() -> None:
    assert grouped([4, 4, 2, 10, 1, 1], 10) == [[4, 4, 2], [10], [1, 1]]
    assert grouped([], 10) == []


def test_or_one_record() -> None:
    assert grouped([4, 4], 10, several=False) == [[4], [4]]


def test_a_record_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(TooLarge, match="11 bytes"):
        grouped([4, 11], 10)
