"""Which bytes of a file are there: spans from a first byte to the one after the last. Pure."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]


class Spans:
    """A set of bytes as few spans, in order, that neither touch nor overlap.

    Args:
        spans: what is in it from the beginning; any order.
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        for span in spans:
            self.add(span)

    def add(self, span: Span) -> None:
        """Put bytes in."""
        first, last = span
        if first >= last:
            return
        apart: list[Span] = []
        for one in self._spans:
            if one[1] < first or last < one[0]:
                apart.append(one)
            else:
                first, last = min(first, one[0]), max(last, one[1])
        apart.append((first, last))
        self._spans = sorted(apart)

    def missing(self, size: int) -> list[Span]:
        """Return what is not in it of a file of ``size`` bytes."""
        gaps: list[Span] = []
        at = 0
        for first, last in self._spans:
            if at < first:
                gaps.append((at, min(first, size)))
            at = last
        if at < size:
            gaps.append((at, size))
        return [gap for gap in gaps if gap[0] < gap[1]]

    @property
    def total(self) -> int:
        """How many bytes are in it."""
        return sum(last - first for first, last in self._spans)

    @property
    def end(self) -> int:
        """The byte after the last one in it."""
        return self._spans[-1][1] if self._spans else 0

    def listed(self) -> list[Span]:
        """Return the spans in order."""
        return list(self._spans)
