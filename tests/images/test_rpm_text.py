"""RPM's words; the orders are those that rpm's own documentation and its test suite give."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sm_ssh_entry.images.rpm_text import Capability, Version, compare

# Each is older than the next.
ASCENDING = ["1.0~~", "1.0~rc1", "1.0", "1.0^git1", "1.0a", "1.0.1", "1.9", "1.10", "2.0.1a", "2.0.1b", "10"]


@pytest.mark.parametrize(("older", "newer"), list(pairwise(ASCENDING)))
def test_versions_are_in_rpm_s_order(older: str, newer: str) -> None:
    assert (compare(older, newer), compare(newer, older), compare(older, older)) == (-1, 1, 0)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1_0"), ("1.05", "1.5"), ("2.0.1", "2-0-1")])
def test_what_stands_between_does_not_count(one: str, other: str) -> None:
    assert compare(one, other) == 0


def test_the_epoch_comes_first_and_the_release_last() -> None:
    ascending = [Version("0", "9", "9"), Version("1", "1", "1"), Version("1", "1", "2"), Version("1", "2", "1")]
    for older, newer in pairwise(ascending):
        assert (older.order(newer), newer.order(older)) == (-1, 1)
    assert Version("", "1", "").order(Version("0", "1", "5")) == 0
    assert [str(one) for one in ascending[:2]] == ["9-9", "1:1-1"]


@pytest.mark.parametrize(
    ("flags", "served"), [("LT", "1"), ("LE", "12"), ("EQ", "2"), ("GE", "23"), ("GT", "3"), ("", "123")]
)
def test_bounds(flags: str, served: str) -> None:
    wanted = Capability("a", flags, Version("", "2", ""))
    provided = {text: Capability("a", "EQ", Version("0", text, "1")) for text in "123"}
    assert "".join(text for text, one in provided.items() if wanted.served_by(one)) == served


def test_what_is_provided_without_a_version_meets_no_bound() -> None:
    assert not Capability("a", "GE", Version("", "1", "")).served_by(Capability("a"))
    assert Capability("a").served_by(Capability("a"))
