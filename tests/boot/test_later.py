from __future__ import annotations

import threading

import pytest

from sm_ssh_entry.boot.later import Later


def test_runs_at_once_and_gives_its_value_again_and_again() -> None:
    begun, go = threading.Event(), threading.Event()

    def make() -> int:
        begun.set()
        go.wait(120)
        return 7

    later = Later(make)
    assert begun.wait(120)
    go.set()
    assert [later.result(), later.result()] == [7, 7]


def test_raises_what_its_maker_raised() -> None:
    def make() -> int:
        raise KeyError("x")

    later = Later(make)
    with pytest.raises(KeyError):
        later.result()
