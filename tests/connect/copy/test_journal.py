"""What an interrupted copy remembers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sm_ssh_entry.connect.copy import journal
from sm_ssh_entry.connect.copy.journal import Entry
from sm_ssh_entry.errors import SmSshError

WORDS = ["down", "job", "/a", "b\udcff"]


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """A home of its own."""


def test_the_last_line_counts_and_a_torn_one_does_not() -> None:
    with journal.opened(WORDS) as kept:
        kept.note("/x", Entry(9, 1, spans=((0, 4),)))
        kept.note("/x", Entry(9, 1, spans=((0, 6),)))
        kept.note("/ü\udcff\n", Entry(3, 1, whole=True))
        kept.note("/gone", Entry(3, 1, whole=True))
        kept.drop("/gone")
        path = kept.path
    with path.open("a") as file:
        file.write('["/x", 9, 1, fal')
    assert path.stat().st_mode & 0o077 == 0
    with journal.opened(WORDS) as kept:
        assert kept.entries == {
            "/x": Entry(9, 1, spans=((0, 6),)),
            "/ü\udcff\n": Entry(3, 1, whole=True),
        }


def test_nothing_is_left_of_a_copy_that_succeeded() -> None:
    with journal.opened(WORDS) as kept:
        kept.note("/x", Entry(9, 1))
        kept.finish()
    assert not kept.path.exists()


def test_other_words_are_another_copy() -> None:
    with journal.opened(WORDS) as kept:
        kept.note("/x", Entry(9, 1))
        with journal.opened([*WORDS, "c"]) as other:
            assert not other.entries


def test_the_same_copy_does_not_run_twice() -> None:
    with journal.opened(WORDS), pytest.raises(SmSshError, match="running already"), journal.opened(WORDS):
        pass


def test_spans_count_for_the_same_source_only() -> None:
    entry = Entry(9, 1, spans=((0, 4),))
    spans = journal.spans_of(entry, 9, 1)
    assert spans is not None
    assert spans.total == 4
    assert journal.spans_of(entry, 9, 2) is journal.spans_of(entry, 8, 1) is journal.spans_of(None, 9, 1) is None


def test_old_journals_are_swept() -> None:
    with journal.opened(WORDS) as kept:
        kept.note("/x", Entry(9, 1))
    long_ago = time.time() - 40 * 86400
    os.utime(kept.path, (long_ago, long_ago))
    with journal.opened(["other"]):
        assert not kept.path.exists()
