"""RPM's words: versions and capabilities, as rpm compares them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

_PART = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")
# flags in a repository's metadata → which orders they admit
_ADMITS = {"EQ": {0}, "LT": {-1}, "GT": {1}, "LE": {-1, 0}, "GE": {0, 1}}


@dataclass(frozen=True)
class Version:
    """Epoch, version, release. An empty release matches any."""

    epoch: str
    version: str
    release: str

    def __str__(self) -> str:
        epoch = "" if self.epoch in ("", "0") else f"{self.epoch}:"
        return f"{epoch}{self.version}-{self.release}"

    def order(self, other: Version) -> int:
        """Return -1, 0 or 1: whether it is older than, as old as, or newer than another.

        Args:
            other: to compare with.
        """
        pairs = [(self.epoch or "0", other.epoch or "0"), (self.version, other.version)]
        if self.release and other.release:
            pairs.append((self.release, other.release))
        return next((found for one, two in pairs if (found := compare(one, two))), 0)


@dataclass(frozen=True)
class Capability:
    """What a package provides or requires: a name, a file, a library; perhaps of a version."""

    name: str
    flags: str = ""
    version: Version = Version("", "", "")

    def served_by(self, provided: Capability) -> bool:
        """Whether what a package provides is what this one requires.

        Args:
            provided: of the same name.
        """
        if not self.flags:
            return True
        return provided.flags == "EQ" and provided.version.order(self.version) in _ADMITS[self.flags]


def compare(one: str, other: str) -> int:
    """Compare two words as rpmvercmp does: runs of digits and of letters, a tilde before and a caret behind the end.

    Args:
        one: a version or a release.
        other: another.
    """
    for ours, theirs in zip_longest(_PART.findall(one), _PART.findall(other), fillvalue=""):
        if ours == theirs:
            continue
        rank = _rank(ours) - _rank(theirs)
        if rank:
            return 1 if rank > 0 else -1
        found = (int(ours) > int(theirs)) - (int(ours) < int(theirs)) if ours.isdigit() else (ours > theirs) * 2 - 1
        if found:
            return found
    return 0


def _rank(part: str) -> int:
    """Return the order of kinds: a tilde, the end, a caret, letters, digits."""
    if part == "~":
        return -1
    if not part:
        return 0
    return 1 if part == "^" else 3 if part.isdigit() else 2
