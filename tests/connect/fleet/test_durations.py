"""Spans of time as people type them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sm_ssh_entry.connect.fleet import durations
from sm_ssh_entry.errors import BadInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("90", 90),
        ("0s", 0),
        ("10m", 600),
        ("10min", 600),
        ("12h", 43_200),
        ("7d", 604_800),
        ("2W", 1_209_600),
        ("1h30m", 5_400),
        (" 1d ", 86_400),
    ],
)
def test_spans(text: str, seconds: int) -> None:
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "d", "7 days", "-1d", "1.5h", "7x", "1d2", "d7", "٣d", "999999999w", "9" * 30])
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        durations.parse(text)
    assert "7d" in refused.value.hint
