from __future__ import annotations

import pytest

from sm_ssh_entry.wire import versions as v

FORWARDING = {"type": "LocalPortForwarding", "portNumber": "80"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("3.3.0.0", (3, 3, 0, 0)),
        (" 1.2 ", (1, 2)),
        ("10", (10,)),
        ("", ()),
        ("1..2", ()),
        ("1.x", ()),
        ("-1.2", ()),
        ("1.9999999999", ()),
        ("1.٣", ()),
    ],
)
def test_parsing(text: str, parts: tuple[int, ...]) -> None:
    assert v.parse_version(text) == parts


def test_comparing_is_by_number_and_missing_parts_are_zero() -> None:
    assert v.newer_than("1.2.1000.0", "1.2.999.0")
    assert v.at_least("1.2", "1.2.0.0")
    assert not v.newer_than("1.2.0.0", "1.2")
    assert not v.at_least("rubbish", "0")
    assert not v.newer_than("rubbish", "0")


@pytest.mark.parametrize(
    ("version", "expected"), [("1.1.69.9", False), ("1.1.70", True), ("1.1.70.0", True), ("", False)]
)
def test_an_agent_multiplexes_from_1_1_70(version: str, expected: bool) -> None:
    assert v.agent_multiplexes(FORWARDING, version) is expected


@pytest.mark.parametrize(("version", "expected"), [("3.0.196.0", False), ("3.0.196.1", True), ("3.3.0.0", True)])
def test_a_client_multiplexes_after_3_0_196_0(version: str, expected: bool) -> None:
    assert v.client_multiplexes(FORWARDING, version) is expected


@pytest.mark.parametrize("properties", [None, {}, {"portNumber": "22"}, {"type": "Other"}])
def test_only_forwarding_multiplexes(properties: dict[str, str] | None) -> None:
    assert not v.agent_multiplexes(properties, "9")
    assert not v.client_multiplexes(properties, "9")


def test_keepalive_gates() -> None:
    assert v.agent_sends_keepalive("1.2.331.0")
    assert not v.agent_sends_keepalive("1.2.331.1")
    assert v.client_sends_keepalive("3.1.1511.0")
    assert not v.client_sends_keepalive("3.1.1512.0")


def test_other_gates() -> None:
    assert not v.client_ends_by_flag("2.3.722.0")
    assert v.client_ends_by_flag("2.3.722.1")
    assert not v.client_separates_streams("1.2.295")
    assert not v.client_separates_streams("1.2.295.0")
    assert v.client_separates_streams("1.2.296")
