"""Debian's words. Where dpkg is installed, it is asked whether it thinks the same."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sm_ssh_entry.images.debian_text import Term, Version, dependency, paragraphs

# Each is older than the next.
ASCENDING = [
    "0~~", "0~", "0", "0a", "0+", "1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1.0-1+deb12u2", "1.0-1+deb12u10",
    "1.0-2", "1.0.1-1", "1.9-1", "1.10-1", "2:0.1-1", "10:0-1",
]  # fmt: skip


@pytest.mark.parametrize(("older", "newer"), list(pairwise(ASCENDING)))
def test_versions_are_in_dpkg_s_order(older: str, newer: str) -> None:
    assert Version(older) < Version(newer)
    assert not Version(newer) < Version(older)
    assert Version(older) != Version(newer)


def test_versions_that_differ_only_in_how_they_are_written_are_equal() -> None:
    assert Version("1.0") == Version("0:1.0-0") == Version("1.00")


words = st.text(alphabet="0123456789ab~+.", min_size=1, max_size=8).map(lambda text: "0" + text)


@settings(max_examples=60, deadline=None)
@given(words, words)
def test_dpkg_agrees(one: str, other: str) -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("dpkg is not installed")
    argv = ["dpkg", "--compare-versions", one, "lt", other]
    told = subprocess.run(argv, check=False, capture_output=True, timeout=120).returncode == 0
    assert (Version(one) < Version(other)) == told


def test_a_dependency_is_a_list_of_alternatives() -> None:
    assert dependency("libc6 (>= 2.36), debconf (>= 0.5) | debconf-2.0, python3:any, a (= 1:2-3) [amd64]") == [
        [Term("libc6", ">=", "2.36")],
        [Term("debconf", ">=", "0.5"), Term("debconf-2.0")],
        [Term("python3")],
        [Term("a", "=", "1:2-3")],
    ]
    assert dependency("") == []


def test_what_is_no_dependency_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a dependency"):
        dependency("a (>> )")


@pytest.mark.parametrize(
    ("relation", "admitted"),
    [("<<", "1"), ("<=", "12"), ("=", "2"), (">=", "23"), (">>", "3"), ("", "123")],
)
def test_bounds(relation: str, admitted: str) -> None:
    term = Term("a", relation, "2" if relation else "")
    assert "".join(version for version in "123" if term.admits(version)) == admitted


def test_what_is_provided_without_a_version_meets_no_bound() -> None:
    assert not Term("a", ">=", "1").admits("")
    assert Term("a").admits("")


def test_paragraphs_keep_wanted_fields_and_their_lines() -> None:
    text = "A: 1\nB: two\n more\nC: 3\n hidden\n\n\nA: 4\n"
    assert list(paragraphs(text, {"A", "B"})) == [{"A": "1", "B": "two\nmore"}, {"A": "4"}]
