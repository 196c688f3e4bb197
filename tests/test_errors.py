"""Exit codes are a promise: each has one meaning, the README lists them, and they do not move."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sm_ssh_entry import errors

README = Path(__file__).resolve().parent.parent / "README.md"


def tree(root: type[errors.SmSshError] = errors.SmSshError) -> list[type[errors.SmSshError]]:
    return [root, *(one for below in root.__subclasses__() for one in tree(below))]


def test_every_leaf_has_a_code_of_its_own() -> None:
    codes = [one.exit_code for one in tree()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("one", tree(), ids=lambda one: one.__name__)
def test_the_readme_lists_each_code(one: type[errors.SmSshError]) -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert (str(one.exit_code), one.__name__) in rows


@pytest.mark.parametrize("one", tree(), ids=lambda one: one.__name__)
def test_the_docstring_lists_each_code(one: type[errors.SmSshError]) -> None:
    assert errors.__doc__
    assert re.search(rf"\b{one.__name__} +{one.exit_code} ", errors.__doc__)


def test_no_code_collides_with_what_shells_and_ssh_mean() -> None:
    # 126 and 127 are the shell's, 128 and above signals, 255 ssh's own.
    assert all(one.exit_code < 126 for one in tree())
