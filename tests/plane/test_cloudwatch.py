"""CloudWatch Logs of the plane: what a job writes comes there, and clients read it page by page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane import cloudwatch, daemon, log_shipping
from sm_ssh_entry.plane.log_shipping import Shipper
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.conftest import REGION, ClientMaker
from tests.waiting import wait_until

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def logs(client: ClientMaker) -> Any:
    return client("logs")


def put(plane: PlaneThread, stream: str, *lines: str, group: str = GROUP) -> None:
    now = time.time_ns() // 1_000_000
    events = [(now + number, line) for number, line in enumerate(lines)]
    plane.call(lambda running: cloudwatch.put(running.store, REGION, group, stream, events))


def state_of(plane: PlaneThread) -> daemon.State:
    return daemon.State(0, plane.url, "", "", "", REGION, 0.0, "", plane.plane.token, "", "")


def test_get_log_events_pages_forward_until_the_token_stays(shared_plane: PlaneThread, logs: Any) -> None:
    put(shared_plane, "j/algo-1", *(str(number) for number in range(25)))
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = logs.get_log_events(
            logGroupName=GROUP, logStreamName="j/algo-1", startFromHead=True, limit=10, **token
        )
        seen += [event["message"] for event in answer["events"]]
        if token == {"nextToken": answer["nextForwardToken"]}:
            break
        token = {"nextToken": answer["nextForwardToken"]}
    assert seen == [str(number) for number in range(25)]
    put(shared_plane, "j/algo-1", "later")
    answer = logs.get_log_events(logGroupName=GROUP, logStreamName="j/algo-1", startFromHead=True, **token)
    assert [event["message"] for event in answer["events"]] == ["later"]


def test_filter_log_events_pages_through_all_streams(shared_plane: PlaneThread, logs: Any) -> None:
    for node in ("j/algo-1", "j/algo-2", "other/algo-1"):
        put(shared_plane, node, *(f"{node} {number}" for number in range(4)))
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 5})
    assert len([event for page in pages for event in page["events"]]) == 12


def test_streams_are_chosen_by_prefix(shared_plane: PlaneThread, logs: Any) -> None:
    for node in ("j/algo-1", "j/algo-2", "other/algo-1"):
        put(shared_plane, node, *(f"{node} {number}" for number in range(4)))
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, logStreamNamePrefix="j/", PaginationConfig={"PageSize": 3}
    )
    found = [event["message"] for page in pages for event in page["events"]]
    assert sorted(found) == sorted(f"j/algo-{node} {number}" for node in (1, 2) for number in range(4))
    assert logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="none/")["events"] == []
    with pytest.raises(ClientError) as error:
        logs.filter_log_events(logGroupName="/none", logStreamNamePrefix="x")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_describe_log_streams_pages(shared_plane: PlaneThread, logs: Any) -> None:
    for number in range(60):
        put(shared_plane, f"j/algo-{number}")
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP, logStreamNamePrefix="j/")
    assert len([one for page in pages for one in page["logStreams"]]) == 60


def test_a_stream_keeps_its_newest_lines(shared_plane: PlaneThread, logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch, "MAX_EVENTS", 10)
    put(shared_plane, "s", *(str(number) for number in range(25)))
    answer = logs.get_log_events(logGroupName=GROUP, logStreamName="s", startFromHead=True)
    assert [event["message"] for event in answer["events"]] == [str(number) for number in range(15, 25)]


def test_lines_are_shipped_while_they_come_and_to_the_last(shared_plane: PlaneThread, logs: Any) -> None:
    def messages() -> list[str]:
        try:
            answer = logs.get_log_events(logGroupName=GROUP, logStreamName="j/algo-1", startFromHead=True)
        except ClientError:
            return []
        return [event["message"] for event in answer["events"]]

    with Shipper(state_of(shared_plane)) as shipper:
        take = shipper.stream(GROUP, "j/algo-1")
        shipper.stream(GROUP, "j/algo-1/ssm")
        for line in (b"first", b"", b"\xff not text"):
            take(line)
        wait_until(lambda: messages() == ["first", " ", "\ufffd not text"], what="the lines")
        take(b"last")
    assert messages()[-1] == "last"
    streams = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert {one["logStreamName"] for one in streams} == {"j/algo-1", "j/algo-1/ssm"}


def test_what_waits_is_bounded_and_the_loss_is_told(
    shared_plane: PlaneThread, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_shipping, "MAX_WAITING", 100)
    shipper = Shipper(state_of(shared_plane))
    take = shipper.stream(GROUP, "s")
    for number in range(150):
        take(str(number).encode())
    with shipper:
        pass
    answer = logs.get_log_events(logGroupName=GROUP, logStreamName="s", startFromHead=True)
    found = [event["message"] for event in answer["events"]]
    assert found[0] == "sm-ssh: 51 lines were lost here"
    assert found[1:] == [str(number) for number in range(50, 150)]


def test_a_plane_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    state = daemon.State(0, "http://127.0.0.1:9", "", "", "", REGION, 0.0, "", "", "", "")
    with Shipper(state) as shipper:
        shipper.stream(GROUP, "s")(b"line")
