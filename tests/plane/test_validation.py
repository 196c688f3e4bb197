"""AWS's words about bodies that cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.server import operations
from sm_ssh_entry.plane.validation import check, has_model, is_operation, parse

CREATE = {"IamRole": "Nodes"}
OURS = sorted(target for target in operations() if has_model(target.partition(".")[0]))


def problem(operation: str, params: dict[str, Any]) -> str:
    with pytest.raises(AwsError) as raised:
        check("AmazonSSM", operation, params)
    return str(raised.value)


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        (
            "CreateActivation",
            {},
            "ValidationException: 1 validation error detected: Value null at 'iamRole' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "CreateActivation",
            CREATE | {"RegistrationLimit": 0},
            "ValidationException: 1 validation error detected: Value '0' at 'registrationLimit' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1",
        ),
        (
            "CreateActivation",
            CREATE | {"Tags": [{"Key": "a,b", "Value": "c"}]},
            "ValidationException: 1 validation error detected: Value 'a,b' at 'tags.1.member.key' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$",
        ),
        (
            "DescribeInstanceInformation",
            {"MaxResults": 4, "Filters": [{"Key": "", "Values": ["x"]}]},
            "ValidationException: 2 validation errors detected: Value '' at 'filters.1.member.key' failed to satisfy "
            "constraint: Member must have length greater than or equal to 1; Value '4' at 'maxResults' failed to "
            "satisfy constraint: Member must have value greater than or equal to 5",
        ),
        (
            "ListTagsForResource",
            {"ResourceType": "House", "ResourceId": "x"},
            "ValidationException: 1 validation error detected: Value 'House' at 'resourceType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [Document, ManagedInstance, ",
        ),
        ("CreateActivation", {"IamRole": 3}, "SerializationException: NUMBER_VALUE can not be converted to a String"),
        (
            "CreateActivation",
            CREATE | {"RegistrationLimit": True},
            "SerializationException: TRUE_VALUE can not be converted to a Integer",
        ),
        (
            "CreateActivation",
            CREATE | {"Tags": {"a": "b"}},
            "SerializationException: START_OBJECT can not be converted to a List",
        ),
        (
            "CreateActivation",
            CREATE | {"Tags": [None]},
            "SerializationException: NULL_VALUE can not be converted to a Structure",
        ),
        (
            "CreateActivation",
            CREATE | {"ExpirationDate": float("inf")},
            "SerializationException: a number out of range can not be converted to a Date",
        ),
    ],
)
def test_awss_words(operation: str, params: dict[str, Any], text: str) -> None:
    assert problem(operation, params).startswith(text)


def test_a_secret_is_not_echoed() -> None:
    text = problem("RegisterManagedInstance", {"ActivationCode": "tooshort"})
    assert "'activationCode' failed" in text
    assert "tooshort" not in text


def test_a_long_value_is_cut_and_a_long_list_of_problems_ends() -> None:
    text = problem("CreateActivation", CREATE | {"Tags": [{"Key": "," * 5000}] * 50})
    assert text.startswith("ValidationException: 10 validation errors detected")
    assert len(text) < 6000


@pytest.mark.parametrize(
    "params",
    [
        CREATE,
        CREATE | {"Unknown": 1, "Description": None},
        CREATE | {"Tags": [{"Key": "Größe 测试", "Value": "a b_.:/=+-@"}]},
        CREATE | {"ExpirationDate": 1.5e9},
        CREATE | {"ExpirationDate": "2030-01-01T00:00:00Z"},
    ],
)
def test_what_is_right_passes(params: dict[str, Any]) -> None:
    check("AmazonSSM", "CreateActivation", params)


def test_a_newline_at_the_end_is_no_end() -> None:
    assert "regular expression" in problem("CreateActivation", CREATE | {"DefaultInstanceName": "a\n"})
    assert "regular expression" in problem("DeregisterManagedInstance", {"InstanceId": "mi-" + "0" * 17 + "\n"})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_json_object_of_text(body: bytes) -> None:
    with pytest.raises(AwsError) as raised:
        parse(body)
    assert raised.value.code == "SerializationException"


def test_an_empty_body_is_an_empty_object() -> None:
    assert parse(b"") == parse(b" ") == parse(b"{}") == {}
    assert parse('{"a": "ä😀"}'.encode()) == parse(b'{"a": "\\u00e4\\ud83d\\ude00"}') == {"a": "ä😀"}


def test_every_operation_of_ours_exists_and_has_a_shape() -> None:
    for target in OURS:
        prefix, _, operation = target.partition(".")
        assert is_operation(prefix, operation), target
    assert not is_operation("AmazonSSM", "Nonsense")
    assert not is_operation("Nonsense", "CreateActivation")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(OURS), st.data())
def test_fuzz_any_value_of_any_member_passes_or_is_an_aws_error(target: str, data: st.DataObject) -> None:
    """Invariant: a body of the right names and arbitrary values satisfies the shape or raises one of two errors."""
    from sm_ssh_entry.plane.validation import _models

    prefix, _, operation = target.partition(".")
    shape = _models()[prefix].operation_model(operation).input_shape
    members = sorted(shape.members) if shape is not None else []
    params = data.draw(st.dictionaries(st.sampled_from(members), JSON, max_size=6) if members else st.just({}))
    try:
        check(prefix, operation, params)
    except AwsError as error:
        refusal = error
    else:
        return
    assert refusal.code in ("ValidationException", "SerializationException")
    json.dumps(refusal.body())
