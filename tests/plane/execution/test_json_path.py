"""Filters of batch transform."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.plane.execution.json_path import NoSuchPlace, NotAPath, parse

OBJECT = {"id": 7, "features": [1, 2, 3], "a b": {"c": [{"d": 5}]}, "x,y": 1}
ROW = ["id", "1", "2", "3"]


@pytest.mark.parametrize(
    ("expression", "value", "wanted"),
    [
        ("$", OBJECT, OBJECT),
        ("", OBJECT, OBJECT),
        ("$.features", OBJECT, [1, 2, 3]),
        ("$.features[0]", OBJECT, 1),
        ("$['a b'].c[0].d", OBJECT, 5),
        ('$["id"]', OBJECT, 7),
        ("$['x,y']", OBJECT, 1),
        ("$['id','features']", OBJECT, {"id": 7, "features": [1, 2, 3]}),
        ("$.features[*]", OBJECT, [1, 2, 3]),
        ("$['a b'].*", OBJECT, [[{"d": 5}]]),
        ("$[1:]", ROW, ["1", "2", "3"]),
        ("$[:2]", ROW, ["id", "1"]),
        ("$[1:3]", ROW, ["1", "2"]),
        ("$[-1]", ROW, "3"),
        ("$[-2:]", ROW, ["2", "3"]),
        ("$[0,2:]", ROW, ["id", "2", "3"]),
        ("$[0, -1]", ROW, ["id", "3"]),
        ("$[0]", ROW, "id"),
    ],
)
def test_expressions(expression: str, value: Any, wanted: Any) -> None:
    assert parse(expression).of(value) == wanted


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$.none", OBJECT),
        ("$['id','none']", OBJECT),
        ("$.id.more", OBJECT),
        ("$[0]", OBJECT),
        ("$.features[3]", OBJECT),
        ("$[4:]", ROW),
        ("$[0,9]", ROW),
        ("$[-5]", ROW),
    ],
)
def test_where_there_is_nothing(expression: str, value: Any) -> None:
    with pytest.raises(NoSuchPlace):
        parse(expression).of(value)


@pytest.mark.parametrize(
    "expression",
    ["id", "$id", "$..id", "$[", "$[]", "$['a',1]", "$[a]", "$[?(@.a)]", "$[1:2:3]", "$['a','b'].c", "$[0:2][0]", "$."],
)
def test_what_the_service_does_not_take(expression: str) -> None:
    with pytest.raises(NotAPath):
        parse(expression)
