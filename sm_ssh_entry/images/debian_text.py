"""Debian's words: paragraphs, versions and dependencies, as deb-control(5) and deb-version(7) have them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import total_ordering
from itertools import zip_longest
from typing import Any

_TERM = re.compile(
    r"^\s*(?P<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*"
    r"(?:\(\s*(?P<relation><<|<=|=|>=|>>)\s*(?P<version>[^\s)]+)\s*\))?\s*(?:\[[^]]*\])?\s*$"
)
_RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">>": operator.gt,
}


@total_ordering
class Version:
    """A version that compares as dpkg compares it.

    Args:
        text: ``[epoch:]upstream[-revision]``.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        epoch, colon, rest = text.partition(":")
        if not colon:
            epoch, rest = "0", text
        upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
        self._key = (int(epoch) if epoch.isdigit() else 0, _parts(upstream), _parts(revision))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and not self < other and not other < self

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        if self._key[0] != other._key[0]:
            return self._key[0] < other._key[0]
        for ours, theirs in zip(self._key[1:], other._key[1:], strict=True):
            assert isinstance(ours, list) and isinstance(theirs, list)  # noqa: S101, PT018 - what __init__ made
            order = _compare(ours, theirs)
            if order:
                return order < 0
        return False

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Term:
    """One alternative of a dependency: a name, and perhaps a bound on its version."""

    name: str
    relation: str = ""
    version: str = ""

    def admits(self, version: str) -> bool:
        """Whether a version is within the bound.

        Args:
            version: of the package of that name, or as a provider states it; empty: provided without a version.
        """
        if not self.relation:
            return True
        return bool(version) and _RELATIONS[self.relation](Version(version), Version(self.version))


def dependency(field: str) -> list[list[Term]]:
    """Return what a ``Depends`` asks for: all of a list, of each one of its alternatives.

    Args:
        field: the field's text.

    Raises:
        ValueError: a term of no known form.
    """
    return [[_term(word) for word in clause.split("|")] for clause in field.split(",") if clause.strip()]


def paragraphs(text: str, wanted: Collection[str]) -> Iterator[dict[str, str]]:
    """Yield the paragraphs of a control file.

    Args:
        text: the file.
        wanted: names of fields; the others are left out.
    """
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                if name in wanted:
                    fields[name] += "\n" + line[1:]
            else:
                name, _, value = line.partition(":")
                if name in wanted:
                    fields[name] = value.strip()
        if fields:
            yield fields


def _term(word: str) -> Term:
    found = _TERM.match(word)
    if not found:
        raise ValueError(f"not a dependency: {word.strip()}")
    return Term(found["name"], found["relation"] or "", found["version"] or "")


def _parts(text: str) -> list[tuple[str, int]]:
    """Split into pairs of what is no digit and the number behind it."""
    return [(words, int(digits or 0)) for words, digits in re.findall(r"([^0-9]*)([0-9]*)", text) if words or digits]


def _compare(ours: list[tuple[str, int]], theirs: list[tuple[str, int]]) -> int:
    for (words, number), (other_words, other_number) in zip_longest(ours, theirs, fillvalue=("", 0)):
        for one, other in zip_longest(map(_order, words), map(_order, other_words), fillvalue=0):
            if one != other:
                return one - other
        if number != other_number:
            return number - other_number
    return 0


def _order(letter: str) -> int:
    """Return dpkg's order: a tilde before the end, letters before all else."""
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256
