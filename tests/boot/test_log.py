from __future__ import annotations

import os

import pytest

from sm_ssh_entry.boot import log
from sm_ssh_entry.errors import AccessDenied, SetupFailed


def test_one_line_each(capfd: pytest.CaptureFixture[str]) -> None:
    log.say("a\nb\r\n  c")
    log.fail(AccessDenied("cause", hint="do this"))
    log.fail(SetupFailed("cause"), more="trying again")
    log.say("x" * 5000)
    lines = capfd.readouterr().err.splitlines()
    assert lines[:3] == [
        "[sm-ssh] a b c",
        "[sm-ssh] ERROR cause (hint: do this)",
        "[sm-ssh] ERROR cause; trying again",
    ]
    assert len(lines[3]) < 1000


def test_unexpected_names_the_place_and_not_the_text(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("a-secret-value")
    except ValueError:
        log.unexpected("here")
    line = capfd.readouterr().err
    assert "a-secret-value" not in line
    assert line.startswith("[sm-ssh] ERROR here: ValueError at test_log.py:")


def test_reader_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    log.say("x", fd=writing)
    os.close(writing)
