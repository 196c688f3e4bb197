"""Packages in rpm's format, put together by its description, byte by byte."""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable, Mapping

PACKED: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "xz": lzma.compress, "lzma": lzma.compress}


def header(tags: dict[int, str]) -> bytes:
    store, index = b"", b""
    for tag, text in tags.items():
        index += struct.pack(">IIII", tag, 6, len(store), 1)
        store += text.encode() + b"\0"
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(tags), len(store)) + index + store


def member(name: str, mode: int, content: bytes) -> bytes:
    fields = (1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    text = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    text += b"\0" * (-len(text) % 4) + content
    return text + b"\0" * (-len(text) % 4)


def package(
    files: Mapping[str, tuple[int, bytes]], compressor: str = "gzip", *, named: bool = True, end: bool = True
) -> bytes:
    """Return a package of regular files, with a folder and a link beside them.

    Args:
        files: name → mode and content.
        compressor: of the files.
        named: whether the package says which.
        end: whether its archive is whole.
    """
    archive = member("./usr/bin", 0o040755, b"")
    archive += b"".join(member(name, 0o100000 | mode, content) for name, (mode, content) in files.items())
    archive += member("./usr/bin/link", 0o120777, b"amazon-ssm-agent")
    archive += member("TRAILER!!!", 0, b"") if end else b""
    signatures = header({1000: "seven", 269: "b"})
    tags = {1000: "amazon-ssm-agent", 1124: "cpio", **({1125: compressor} if named else {})}
    lead = b"\xed\xab\xee\xdb".ljust(96, b"\0") + signatures
    return lead + b"\0" * (-len(lead) % 8) + header(tags) + PACKED.get(compressor, bytes)(archive)
