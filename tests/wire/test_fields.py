from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sm_ssh_entry.wire import fields
from sm_ssh_entry.wire.errors import RemoteProtocolError

SOURCE: dict[str, Any] = {"Name": "x", "count": 3, "yes": True, "inner": {"a": 1}, "items": [{}, {}], "nothing": None}


def test_keys_match_exactly_first_then_in_any_case() -> None:
    assert fields.text({"name": "other", "Name": "exact"}, "Name") == "exact"
    assert fields.text(SOURCE, "nAME") == "x"
    assert fields.lookup(SOURCE, "absent") is None


def test_each_type_is_read() -> None:
    assert fields.integer(SOURCE, "count") == 3
    assert fields.boolean(SOURCE, "yes") is True
    assert fields.mapping(SOURCE, "inner") == {"a": 1}
    assert fields.objects(SOURCE, "items") == [{}, {}]


def test_null_and_absent_give_the_default_or_an_error() -> None:
    for key in ("nothing", "absent"):
        assert fields.text(SOURCE, key, "d") == "d"
        assert fields.objects(SOURCE, key) == []
        readers: list[Callable[[dict[str, Any], str], Any]] = [
            fields.text,
            fields.integer,
            fields.boolean,
            fields.mapping,
        ]
        for read in readers:
            with pytest.raises(RemoteProtocolError, match="missing"):
                read(SOURCE, key)


def test_wrong_types_are_errors() -> None:
    wrong: list[tuple[Callable[[dict[str, Any], str], Any], str]] = [
        (fields.text, "count"),
        (fields.integer, "Name"),
        (fields.integer, "yes"),
        (fields.boolean, "count"),
        (fields.mapping, "items"),
        (fields.objects, "inner"),
    ]
    for read, key in wrong:
        with pytest.raises(RemoteProtocolError):
            read(SOURCE, key)
    with pytest.raises(RemoteProtocolError):
        fields.objects({"items": [{}, 1]}, "items")


def test_integers_have_bounds_and_lists_a_length() -> None:
    assert fields.integer({"n": 5}, "n", low=5, high=5) == 5
    for number in (4, 6, -1, 1 << 80):
        with pytest.raises(RemoteProtocolError, match="out of range"):
            fields.integer({"n": number}, "n", low=5, high=5)
    with pytest.raises(RemoteProtocolError, match="more than 2"):
        fields.objects({"items": [{}] * 3}, "items", limit=2)


def test_padding_is_not_content() -> None:
    assert fields.parse_object(b'\0\0 {"a": 1} \n\0', "x") == {"a": 1}
    assert fields.parse_object('{"a": 1}', "x") == {"a": 1}


def test_a_pair_of_surrogates_is_a_character_and_half_of_one_is_not() -> None:
    assert fields.parse_object(b'{"a":"\\uD83D\\ude00"}', "x") == {"a": "\U0001f600"}
    for half in (b'{"a":"\\uD83D"}', b'{"\\ude00":1}'):
        with pytest.raises(RemoteProtocolError):
            fields.parse_object(half, "x")


def test_the_error_names_what_was_read_and_quotes_nothing() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        fields.parse_object(b'{"TokenValue":"secret', "the opening frame")
    assert "the opening frame" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_json_is_compact_and_ascii() -> None:
    assert fields.to_json({"a": ["é", None]}) == b'{"a":["\\u00e9",null]}'
