"""Logs of several nodes in one terminal: whole lines, each with the name of the node that wrote it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import IO

# A "line" without an end must not fill the memory: after so many bytes it is shown in pieces.
LINE_LIMIT = 65536


class LineWriter:
    """Writes whole lines from several threads to one binary stream, none of them torn.

    Args:
        out: where lines go; flushed after each batch.
    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._broken = False

    def write(self, prefix: bytes, lines: list[bytes]) -> None:
        """Write lines that end in a newline, each behind the prefix.

        A reader that went away must not stop the job: what it would have read is dropped.
        """
        with self._lock:
            if self._broken:
                return
            try:
                self._out.write(b"".join(prefix + line for line in lines))
                self._out.flush()
            except OSError:
                self._broken = True


def follow(
    source: IO[bytes], writer: LineWriter, prefix: str, *, seen: Callable[[bytes], object] = lambda _: None
) -> threading.Thread:
    """Copy a pipe line by line until its end, in a thread.

    Args:
        source: the read end.
        writer: where lines go.
        prefix: what stands before each line.
        seen: told each line, before it is written.
    """
    words = (source, writer, prefix.encode(), seen)
    thread = threading.Thread(target=_copy, args=words, name=f"log {prefix}", daemon=True)
    thread.start()
    return thread


def _copy(source: IO[bytes], writer: LineWriter, prefix: bytes, seen: Callable[[bytes], object]) -> None:
    rest = b""
    with source:
        # Only a newline ends a line: a progress bar drawn with carriage returns is one line, shown when it ends.
        while chunk := os.read(source.fileno(), LINE_LIMIT):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_LIMIT:
                whole.append(rest)
                rest = b""
            for line in whole:
                seen(line)
            if whole:
                writer.write(prefix, [line + b"\n" for line in whole])
    if rest:
        seen(rest)
        writer.write(prefix, [rest + b"\n"])
