"""Lines of CloudWatch Logs: the newest of several streams, those since a time, and those that come."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect import nodes
from sm_ssh_entry.connect.fleet.log_places import LogPlace
from sm_ssh_entry.connect.fleet.pace import Pace
from sm_ssh_entry.errors import ServiceError

# What one call of the service gives at most.
_PAGE = 10_000
# Streams that are looked into for the newest lines: one call each.
_STREAMS = 50
# Lines of several containers arrive out of order: so far back is looked again for those that came late.
_OVERLAP = 15_000
_POLL = 2.0
# A job's last lines arrive after its end.
_DRAIN = 10.0


@dataclass(frozen=True)
class Line:
    """One line of a log.

    Attributes:
        at: milliseconds since the epoch, as the container's log driver saw it.
        stream: name of its stream.
        label: what that stream is called for people.
        text: the line.
    """

    at: int
    stream: str
    label: str
    text: str

    @property
    def when(self) -> datetime:
        """Its time."""
        return datetime.fromtimestamp(self.at / 1000, timezone.utc)


class Log:
    """One log of several streams.

    Args:
        client: of CloudWatch Logs.
        places: where it may be, the likeliest first.

    Attributes:
        left_out: how many streams were not looked into for the newest lines.
    """

    def __init__(self, client: Any, places: Sequence[LogPlace]) -> None:
        self.left_out = 0
        self._client, self._places = client, places
        self._pace = Pace()
        self._at: LogPlace | None = None
        self._streams: list[str] = []

    def exists(self) -> bool:
        """Whether anything was logged yet."""
        return bool(self.streams())

    @property
    def labels(self) -> set[str]:
        """What the streams that there are, are called."""
        return {self._at.label(stream) for stream in self.streams()} if self.exists() and self._at else set()

    def streams(self) -> list[str]:
        """Return the streams' names, those with the newest lines first as far as the service tells."""
        if not self._streams:
            self._streams = self._find()
        return self._streams

    def _find(self) -> list[str]:
        for place in self._places:
            group = place.group if place.whole else self._group_of(place)
            found = sorted(self._streams_of(group, place), key=lambda item: -int(item.get("lastEventTimestamp") or 0))
            if found:
                self._at = LogPlace(group, place.prefix, place.ending, place.agent)
                return [str(item["logStreamName"]) for item in found]
        return []

    def newest(self, count: int) -> list[Line]:
        """Return the newest lines of all streams in their order.

        Args:
            count: how many.
        """
        every = self.streams()
        self.left_out = max(0, len(every) - _STREAMS)
        found = nodes.parallel(lambda stream: self._tail(stream, count), every[:_STREAMS])
        lines = sorted((line for part in found for line in part), key=lambda line: line.at)
        return lines[-count:]

    def since(self, start: int) -> Iterator[Line]:
        """Give the lines since a time, a page at a time, each page in its order.

        Args:
            start: milliseconds since the epoch.
        """
        if self._at is None and not self.exists():
            return
        place = self._at
        assert place is not None  # noqa: S101 - streams() has set it
        token: dict[str, str] = {}
        while True:
            filters = {"logStreamNamePrefix": place.prefix} if place.prefix else {}
            page = self._call(
                "FilterLogEvents",
                self._client.filter_log_events,
                logGroupName=place.group,
                startTime=max(0, start),
                **filters,
                **token,
            )
            lines = [self._line(item, str(item["logStreamName"])) for item in page.get("events", ())]
            yield from sorted((line for line in lines if place.holds(line.stream)), key=lambda line: line.at)
            # A page may be empty and still not be the last.
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def follow(
        self,
        shown: Collection[Line],
        since: int,
        *,
        ended: Callable[[], bool],
        poll: float | None = None,
        drain: float | None = None,
    ) -> Iterator[Line]:
        """Give the lines that come, until what logs them has ended and nothing comes any more.

        Args:
            shown: lines that were given already, in their order; older ones are not wanted.
            since: from when on where there are none, milliseconds since the epoch.
            ended: whether the job has ended; asked now and then.
            poll: seconds between two looks; None: two.
            drain: seconds without a line after the end; None: ten.
        """
        poll, drain = _POLL if poll is None else poll, _DRAIN if drain is None else drain
        newest = max((line.at for line in shown), default=since)
        oldest = min((line.at for line in shown), default=since - 1)
        known = Counter(line for line in shown if line.at >= newest - _OVERLAP)
        pause, quiet_since, over = threading.Event(), time.monotonic(), False
        while True:
            again: Counter[Line] = Counter()
            for line in self.since(newest - _OVERLAP if known else newest):
                again[line] += 1
                if line.at > oldest and again[line] > known[line]:
                    quiet_since = time.monotonic()
                    yield line
            known |= again
            newest = max((line.at for line in known), default=newest)
            known = Counter({line: count for line, count in known.items() if line.at >= newest - _OVERLAP})
            if not over and ended():
                over, quiet_since = True, time.monotonic()
            if over and time.monotonic() - quiet_since >= drain:
                return
            pause.wait(poll)

    def _tail(self, stream: str, count: int) -> list[Line]:
        assert self._at is not None  # noqa: S101 - streams() has set it
        found: list[Line] = []
        token: dict[str, str] = {}
        while len(found) < count:
            page = self._call(
                "GetLogEvents",
                self._client.get_log_events,
                logGroupName=self._at.group,
                logStreamName=stream,
                limit=min(count - len(found), _PAGE),
                startFromHead=False,
                **token,
            )
            found = [self._line(item, stream) for item in page.get("events", ())] + found
            back = page.get("nextBackwardToken")
            # The same token again, or none: this is the beginning. moto says so by a page that is empty.
            if not back or back == token.get("nextToken") or not page.get("events"):
                break
            token = {"nextToken": back}
        return found

    def _line(self, item: dict[str, Any], stream: str) -> Line:
        label = self._at.label(stream) if self._at else stream
        return Line(int(item.get("timestamp", 0)), stream, label, str(item.get("message", "")))

    def _group_of(self, place: LogPlace) -> str:
        page = self._call("DescribeLogGroups", self._client.describe_log_groups, logGroupNamePrefix=place.group)
        groups = sorted(page.get("logGroups", ()), key=lambda group: -int(group.get("creationTime") or 0))
        return str(groups[0]["logGroupName"]) if groups else place.group

    def _streams_of(self, group: str, place: LogPlace) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        filters = {"logStreamNamePrefix": place.prefix} if place.prefix else {}
        while True:
            page = self._call(
                "DescribeLogStreams", self._client.describe_log_streams, logGroupName=group, **filters, **token
            )
            yield from (item for item in page.get("logStreams", ()) if place.holds(str(item["logStreamName"])))
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def _call(self, operation: str, method: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        """Call the service; a group or stream that is not there is one without lines."""

        def once() -> dict[str, Any]:
            with aws.errors_of(action=f"logs:{operation}"):
                return method(**arguments)

        try:
            return self._pace.call(once)
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return {}
            raise
