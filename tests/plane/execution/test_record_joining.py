"""DataProcessing: what the model gets, and what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sm_ssh_entry.plane.execution.record_joining import CannotJoin, Joining, of_request


def joining(content_type: str = "text/csv", accept: str = "", **processing: str) -> Joining:
    return of_request(processing, content_type=content_type, accept=accept)


def kept(one: Joining, records: list[bytes], answer: bytes) -> list[Any]:
    return [json.loads(line) for line in one.to_keep(records, answer).splitlines()]


def test_nothing_asked_for_leaves_bytes_as_they_are() -> None:
    one = joining("application/x-image")
    assert (one.for_model(b"\0\xff"), one.to_keep([b"\0"], b"\xff\n\n")) == (b"\0\xff", b"\xff\n\n")


def test_csv_is_filtered_joined_and_filtered() -> None:
    one = joining(InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    records = [b'"a,b",1,2\n', b"c,3,4\n"]
    assert [one.for_model(record) for record in records] == [b"1,2\n", b"3,4\n"]
    assert one.to_keep(records, b"0.5\n0.25") == b'"a,b",0.5\nc,0.25\n'


def test_csv_that_is_not_split_is_filtered_row_by_row() -> None:
    one = joining(InputFilter="$[0]", JoinSource="Input")
    assert one.for_model(b"1,2\n3,4\n") == b"1\n3\n"
    assert one.to_keep([b"1,2\n3,4\n"], b"x\ny\n") == b"1,2,x\n3,4,y\n"


def test_only_the_output_can_be_filtered() -> None:
    assert joining(OutputFilter="$[1]").to_keep([b"ignored"], b"1,2\n3,4\n") == b"2\n4\n"


def test_an_object_gets_the_output_as_a_member_of_its_own() -> None:
    one = joining("application/jsonlines", JoinSource="Input", InputFilter="$.features")
    records = [b'{"id": 1, "features": [1, 2]}\n', b'{"id": 2, "features": [3]}\n']
    assert b"".join(one.for_model(record) for record in records) == b"[1, 2]\n[3]\n"
    wanted = [
        {"id": 1, "features": [1, 2], "SageMakerOutput": {"p": 0.5}},
        {"id": 2, "features": [3], "SageMakerOutput": {"p": 0.25}},
    ]
    assert kept(one, records, b'{"p": 0.5}\n{"p": 0.25}\n') == wanted


def test_what_is_no_object_becomes_one() -> None:
    one = joining("application/json", JoinSource="Input")
    assert kept(one, [b"[1, 2]"], b"[0.5]") == [{"SageMakerInput": [1, 2], "SageMakerOutput": [0.5]}]


def test_two_members_of_what_was_joined() -> None:
    one = joining("application/json", JoinSource="Input", OutputFilter="$['id','SageMakerOutput']")
    assert kept(one, [b'{"id": 1, "x": 2}\n'], b'{\n "p": 1\n}') == [{"id": 1, "SageMakerOutput": {"p": 1}}]


def test_records_of_json_stay_apart_on_their_way_to_the_model() -> None:
    one = joining("application/json", InputFilter="$.x")
    assert [one.for_model(record) for record in (b'{"x": 1}\n', b'{"x": 2}')] == [b"1\n", b"2"]


def test_one_list_answers_many_records() -> None:
    one = joining("application/json", JoinSource="Input")
    found = kept(one, [b'{"a": 1}\n', b'{"a": 2}\n'], b"[[1], [2]]")
    assert [each["SageMakerOutput"] for each in found] == [[1], [2]]


@pytest.mark.parametrize(
    ("one", "records", "answer", "said"),
    [
        (joining(JoinSource="Input"), [b"1\n", b"2\n"], b"x\n", "mismatched line count"),
        (joining("application/json", JoinSource="Input"), [b"1", b"2"], b"[1, 2, 3]", "mismatched line count"),
        (joining("application/json", JoinSource="Input"), [b"1"], b"no json", "JSON"),
        (joining(JoinSource="Input"), [b"\xff\n"], b"x\n", "CSV"),
        (joining(OutputFilter="$[5]"), [b"1\n"], b"x\n", "no position 5"),
    ],
)
def test_what_cannot_be_joined_is_said(one: Joining, records: list[bytes], answer: bytes, said: str) -> None:
    with pytest.raises(CannotJoin, match=said):
        one.to_keep(records, answer)


@pytest.mark.parametrize(
    ("content_type", "accept", "processing", "said"),
    [
        ("application/x-recordio", "", {"JoinSource": "Input"}, "DataProcessing needs"),
        ("", "", {"InputFilter": "$.x"}, "DataProcessing needs"),
        ("text/csv", "application/json", {"JoinSource": "Input"}, "Accept"),
        ("text/csv", "", {"InputFilter": "x"}, "does not begin"),
    ],
)
def test_requests_that_cannot_be(content_type: str, accept: str, processing: dict[str, str], said: str) -> None:
    with pytest.raises(CannotJoin, match=said):
        of_request(processing, content_type=content_type, accept=accept)
