"""Sets of bytes."""

from __future__ import annotations

import random

from sm_ssh_entry.connect.copy.spans import Spans


def test_what_touches_becomes_one() -> None:
    spans = Spans([(0, 4), (8, 9), (4, 8)])
    assert (spans.listed(), spans.total, spans.end) == ([(0, 9)], 9, 9)
    spans.add((5, 5))
    assert spans.listed() == [(0, 9)]


def test_missing() -> None:
    assert Spans([(2, 4), (6, 8)]).missing(10) == [(0, 2), (4, 6), (8, 10)]
    assert Spans().missing(3) == [(0, 3)]
    assert Spans([(0, 3)]).missing(3) == []
    assert Spans().missing(0) == []
    assert Spans([(5, 9)]).missing(4) == [(0, 4)]


def test_it_is_a_set_of_numbers() -> None:
    dice = random.Random(1)
    for _ in range(200):
        spans, numbers = Spans(), set[int]()
        for _ in range(12):
            first = dice.randrange(40)
            last = first + dice.randrange(10)
            spans.add((first, last))
            numbers |= set(range(first, last))
        assert {n for first, last in spans.listed() for n in range(first, last)} == numbers
        assert {n for first, last in spans.missing(45) for n in range(first, last)} == set(range(45)) - numbers
        assert spans.total == len(numbers)
