"""A training job's metrics: what its MetricDefinitions find in the log of its nodes."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any


class Metrics:
    """The last value of each metric, from lines of several threads.

    Args:
        definitions: the request's ``MetricDefinitions``.

    Raises:
        ValueError: a regular expression is none.
    """

    def __init__(self, definitions: Sequence[Mapping[str, str]]) -> None:
        try:
            self._patterns = [(one["Name"], re.compile(one["Regex"])) for one in definitions]
        except re.error as error:
            raise ValueError(f"the regular expression of a metric definition is malformed: {error}") from error
        self._found: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def see(self, _node: str, line: bytes) -> None:
        """Look through a line of the log.

        Args:
            _node: the node that printed it.
            line: the line.
        """
        text = line.decode("utf-8", "replace") if self._patterns else ""
        for name, pattern in self._patterns:
            for match in pattern.finditer(text):
                value = _number(match)
                if value is not None:
                    with self._lock:
                        self._found[name] = (value, time.time())

    def final(self) -> list[dict[str, Any]]:
        """Return ``FinalMetricDataList``: the last value of each metric that there was."""
        with self._lock:
            return [{"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self._found.items()]


def _number(match: re.Match[str]) -> float | None:
    """Return the value that a match captures; None: it is none."""
    try:
        value = float(match.group(1) if match.re.groups else match.group())
    except (TypeError, ValueError):
        return None
    # The service's numbers have neither of the two words.
    return value if math.isfinite(value) else None
