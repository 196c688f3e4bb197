"""Metrics out of a log."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.plane.execution.metrics import Metrics


def found(regex: str, *lines: bytes) -> dict[str, Any]:
    metrics = Metrics([{"Name": "m", "Regex": regex}])
    for line in lines:
        metrics.see("algo-1", line)
    return {one["MetricName"]: one["Value"] for one in metrics.final()}


@pytest.mark.parametrize(
    ("regex", "lines", "value"),
    [
        (r"loss: ([0-9.]+)", (b"loss: 2.5", b"loss: 1.5"), 1.5),
        (r"loss: ([0-9.]+)", (b"loss: 2.5 loss: 0.5",), 0.5),
        (r"loss: (\S+)", (b"loss: 1e-3", b"loss: none", b"loss: nan", b"loss: inf"), 0.001),
        (r"[0-9]+", (b"epoch 7",), 7.0),
        (r"a=(?:b)?([0-9])?", (b"a=",), None),
        (r"accuracy=(.*?);", (b"\xff\xfe accuracy=0.5;",), 0.5),
        (r"loss: ([0-9.]+)", (b"nothing of the kind",), None),
    ],
)
def test_the_last_value_counts(regex: str, lines: tuple[bytes, ...], value: float | None) -> None:
    assert found(regex, *lines) == ({} if value is None else {"m": value})


def test_a_value_has_its_time() -> None:
    metrics = Metrics([{"Name": "m", "Regex": "m=(.)"}])
    metrics.see("algo-1", b"m=1")
    (one,) = metrics.final()
    assert one["Timestamp"] > 1.7e9


def test_what_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="malformed"):
        Metrics([{"Name": "m", "Regex": "("}])
