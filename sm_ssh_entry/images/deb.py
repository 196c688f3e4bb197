"""A Debian package written by hand: an ar archive of two tar files. The same content gives the same bytes.

deb(5): ``debian-binary``, then ``control.tar``, then ``data.tar``. Both may be without compression, which depends on no
library's version.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class File:
    """A file of a package."""

    content: bytes
    mode: int = 0o644


def build(control: Mapping[str, str], files: Mapping[str, File]) -> bytes:
    """Return a package.

    Args:
        control: the fields of its control file, in order; without Installed-Size.
        files: absolute path → file.
    """
    kibibytes = sum(-(-len(file.content) // 1024) for file in files.values())
    fields = {**control, "Installed-Size": str(kibibytes)}
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": _tar({"/control": File(text.encode())}),
        "data.tar": _tar(files),
    }
    # ar(5): 16 characters of name, 12 of time, 6 and 6 of owner and group, 8 of mode, 10 of size.
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def _tar(files: Mapping[str, File]) -> bytes:
    held = io.BytesIO()
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents if folder.name}
    with tarfile.open(fileobj=held, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for folder in ["/", *sorted(folders)]:
            item = tarfile.TarInfo("." + folder.rstrip("/") + "/")
            item.type, item.mode, item.uname, item.gname = tarfile.DIRTYPE, 0o755, "root", "root"
            archive.addfile(item)
        for name, file in sorted(files.items()):
            item = tarfile.TarInfo("." + name)
            item.size, item.mode, item.uname, item.gname = len(file.content), file.mode, "root", "root"
            archive.addfile(item, io.BytesIO(file.content))
    return held.getvalue()
