"""Lines of several nodes in one stream: whole, named, bytes untouched."""

from __future__ import annotations

import io
import os
from typing import IO

from sm_ssh_entry.plane.streaming import LINE_LIMIT, LineWriter, follow


def shown(*chunks: bytes, prefix: str = "algo-1 | ", out: IO[bytes] | None = None) -> bytes:
    sink = io.BytesIO() if out is None else out
    read_end, write_end = os.pipe()
    thread = follow(os.fdopen(read_end, "rb"), LineWriter(sink), prefix)
    for chunk in chunks:
        os.write(write_end, chunk)
    os.close(write_end)
    thread.join(timeout=120)
    assert not thread.is_alive()
    return sink.getvalue() if isinstance(sink, io.BytesIO) else b""


def test_each_line_has_the_prefix() -> None:
    assert shown(b"one\ntwo\n") == b"algo-1 | one\nalgo-1 | two\n"


def test_a_line_cut_anywhere_is_shown_whole() -> None:
    text = "größe\nzwei\n".encode()
    for cut in range(len(text)):
        assert shown(text[:cut], text[cut:], prefix="") == text


def test_a_last_line_without_newline_is_not_lost() -> None:
    assert shown(b"done") == b"algo-1 | done\n"


def test_bytes_that_are_no_text_pass_unchanged() -> None:
    assert shown(b"\xff\x00\x1b[1m\n", prefix="") == b"\xff\x00\x1b[1m\n"


def test_carriage_returns_stay_inside_their_line() -> None:
    assert shown(b"10%\r20%\rdone\nnext\n", prefix="> ") == b"> 10%\r20%\rdone\n> next\n"


def test_an_endless_line_is_shown_in_pieces() -> None:
    pieces = [b"x" * 32768] * 5
    out = shown(*pieces, prefix="")
    assert out.replace(b"\n", b"") == b"".join(pieces)
    assert max(len(line) for line in out.split(b"\n")) <= 2 * LINE_LIMIT


def test_a_reader_that_went_away_does_not_stop_the_copy() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb", buffering=0) as broken:
        shown(b"one\n", b"two\n", out=broken)
