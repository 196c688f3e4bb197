"""Logs as SageMaker would have written them, on the plane."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sm_ssh_entry import aws


class Streams:
    """One log group; seconds are counted from half an hour ago.

    Args:
        group: its name.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self.began = time.time() - 1800
        self._client = aws.client("logs")
        self._made: set[str] = set()

    def at(self, second: float) -> int:
        """Return a second as CloudWatch counts: milliseconds since the epoch."""
        return int((self.began + second) * 1000)

    def write(self, stream: str, lines: Sequence[tuple[float, str]]) -> None:
        """Add lines to a stream, which is made if it is not there."""
        if not self._made:
            self._client.create_log_group(logGroupName=self.group)
        if stream not in self._made:
            self._made.add(stream)
            self._client.create_log_stream(logGroupName=self.group, logStreamName=stream)
        events = [{"timestamp": self.at(second), "message": text} for second, text in lines]
        self._client.put_log_events(logGroupName=self.group, logStreamName=stream, logEvents=events)
