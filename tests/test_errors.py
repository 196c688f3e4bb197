"""Exit codes are a promise: each has one meaning, the README lists them, and they do not move."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sm_ssh_entry import errors

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def tree(root: type[errors.SmSshError] = errors.SmSshError) -> list[type[errors.SmSshError]]:
    """The errors that have codes; a room may tell kinds of one apart for itself, and they end as that one does."""
    below = [one for one in root.__subclasses__() if one.__module__ == errors.__name__]
    return [root, *(one for child in below for one in tree(child))]


def test_no_other_module_gives_an_error_a_code() -> None:
    given = [
        path
        for path in (ROOT / "sm_ssh_entry").rglob("*.py")
        if re.search(r"^    exit_code\b", path.read_text(), re.MULTILINE)
    ]
    assert given == [ROOT / "sm_ssh_entry" / "errors.py"]


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
