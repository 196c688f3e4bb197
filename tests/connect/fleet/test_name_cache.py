"""The names that completion offers: remembered for some hours, by several processes at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sm_ssh_entry.connect.fleet import name_cache


def test_names_are_forgotten(home: Path) -> None:
    name_cache.remember(["old"], now=1000.0)
    assert name_cache.known(now=1001.0) == ["old"]
    assert name_cache.known(now=1000.0 + name_cache.LIFETIME) == []
    name_cache.remember(["new"], now=1000.0 + name_cache.LIFETIME)
    assert name_cache.known(now=1001.0 + name_cache.LIFETIME) == ["new"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "x"}', "\x00"])
def test_a_cache_that_is_none(home: Path, text: str) -> None:
    (home / ".ssh" / "sm-ssh").mkdir(parents=True)
    (home / ".ssh" / "sm-ssh" / "names.json").write_text(text)
    assert name_cache.known() == []


def test_several_at_once_lose_nothing(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: name_cache.remember([f"n{number}"], now=1000.0), range(24)))
    assert len(name_cache.known(now=1000.0)) == 24


def test_it_does_not_grow_without_end(home: Path) -> None:
    name_cache.remember([f"old{number}" for number in range(400)], now=1000.0)
    name_cache.remember([f"new{number}" for number in range(400)], now=1001.0)
    known = name_cache.known(now=1001.0)
    assert len(known) == 500
    assert sum(name.startswith("new") for name in known) == 400


def test_a_home_that_cannot_be_written_to_is_no_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".ssh").write_text("a file where the folder should be")
    name_cache.remember(["n"])
    assert name_cache.known() == []
    monkeypatch.setenv("HOME", "")
    name_cache.remember(["n"])
    assert name_cache.known() == []


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_the_file_is_ours_alone(home: Path) -> None:
    name_cache.remember(["n"])
    assert (home / ".ssh" / "sm-ssh" / "names.json").stat().st_mode & 0o777 == 0o600
