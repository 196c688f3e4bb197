"""A job's lines on their way to the plane: all of them, in order, though the plane is slow to answer at the end."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.errors import PlaneDown
from sm_ssh_entry.plane import daemon, log_shipping
from sm_ssh_entry.plane.log_shipping import Shipper

STATE = daemon.State(1, "http://127.0.0.1:9", "", "", "", "eu-west-1", 0.0, "", "", "", "")


def shipped(monkeypatch: pytest.MonkeyPatch, failures: int, *streams: str) -> dict[str, list[str]]:
    """Ship three lines to each stream, through a plane that does not answer at first; return what it got."""
    got: dict[str, list[str]] = {}
    left = iter(range(failures))

    def ask(_: daemon.State, _method: str, route: str, params: dict[str, Any]) -> dict[str, Any]:
        assert (route, params["region"], params["group"]) == ("logs", "eu-west-1", "group")
        if next(left, None) is not None:
            raise PlaneDown("it does not answer")
        got.setdefault(params["stream"], []).extend(text for _, text in params["events"])
        return {}

    monkeypatch.setattr(daemon, "ask", ask)
    # The last pass is the only one.
    monkeypatch.setattr(log_shipping, "_INTERVAL", 600.0)
    with Shipper(STATE) as shipper:
        takers = [shipper.stream("group", name) for name in streams]
        for number in range(3):
            for take in takers:
                take(b"line %d" % number)
    return got


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_the_last_lines_are_tried_again(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    lines = ["line 0", "line 1", "line 2"]
    assert shipped(monkeypatch, failures, "one", "two") == {"one": lines, "two": lines}


def test_a_plane_that_is_gone_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shipped(monkeypatch, 1000, "one") == {}
