"""What a transform job's request and its container agree on."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.plane.execution.transforming import Agreed, agreed

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("requested", "offered", "wanted"),
    [
        ({}, {}, Agreed(1, 6 * MEGABYTE, several=True)),
        (
            {},
            {"MaxConcurrentTransforms": 8, "MaxPayloadInMB": 2, "BatchStrategy": "SINGLE_RECORD"},
            Agreed(8, 2 * MEGABYTE, several=False),
        ),
        (
            {"MaxConcurrentTransforms": 3, "MaxPayloadInMB": 1, "BatchStrategy": "MultiRecord"},
            {"MaxConcurrentTransforms": 8, "MaxPayloadInMB": 2, "BatchStrategy": "SINGLE_RECORD"},
            Agreed(3, MEGABYTE, several=True),
        ),
        ({"MaxPayloadInMB": 0}, {"MaxConcurrentTransforms": 0}, Agreed(1, 0, several=True)),
        ({"MaxConcurrentTransforms": 0}, {"MaxConcurrentTransforms": 4}, Agreed(4, 6 * MEGABYTE, several=True)),
        ({}, {"MaxConcurrentTransforms": "many", "MaxPayloadInMB": -1}, Agreed(1, 6 * MEGABYTE, several=True)),
        ({}, {"MaxConcurrentTransforms": 10**9}, Agreed(100, 6 * MEGABYTE, several=True)),
    ],
)
def test_the_request_counts_then_the_container_then_the_service(
    requested: dict[str, Any], offered: dict[str, Any], wanted: Agreed
) -> None:
    assert agreed(requested, offered) == wanted
