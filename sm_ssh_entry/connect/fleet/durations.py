"""Spans of time as people type them: ``90s``, ``10m``, ``12h``, ``7d``, ``1h30m``."""

from __future__ import annotations

import re
from datetime import timedelta

from sm_ssh_entry.errors import BadInput

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"([0-9]{1,9})(min|[smhdw])")
# A century: what is longer is a slip of the finger, and further on lies the end of Python's calendar.
_LONGEST = 36_525 * 86_400


def parse(text: str) -> timedelta:
    """Return the span that a text means; bare digits are seconds.

    Args:
        text: numbers with units s, m, h, d or w, put together as one likes.

    Raises:
        BadInput: it is none.
    """
    word = text.strip().lower()
    if word.isdecimal() and len(word) < 10:
        word += "s"
    parts = _PART.findall(word)
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != word or seconds > _LONGEST:
        raise BadInput(f"{text!r} is not a span of time", hint="write 90s, 10m, 12h, 7d or 1h30m")
    return timedelta(seconds=seconds)
