"""What a walk through a tree finds, here or on a node, and what is to become of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sm_ssh_entry.errors import SmSshError


@dataclass(frozen=True)
class Found:
    """A file or folder.

    Attributes:
        source: its path.
        inside: its path below what the user named, with slashes; ``""``: that itself.
        is_folder: whether it is a folder.
        size: bytes.
        changed: time of its last change, as exactly as its side knows it: nanoseconds here, seconds on a node.
        seconds: the same in seconds.
        mode: permission bits; None: not known.
    """

    source: str
    inside: str
    is_folder: bool
    size: int
    changed: int
    seconds: int
    mode: int | None


@dataclass
class Tree:
    """What a walk has found.

    Attributes:
        found: files and folders, each folder before what is in it.
        skipped: what is not copied, and why, in words.
        failures: what could not be read.
    """

    found: list[Found] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failures: list[SmSshError] = field(default_factory=list)


OUTSIDE = "a link that leads out of the folder (--follow copies it)"
BROKEN = "a link that leads nowhere"
LOOP = "a link to a folder that it is in"
SPECIAL = "neither a file nor a folder"
