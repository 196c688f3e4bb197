"""Nothing from a node reaches a terminal as it stands."""

from __future__ import annotations

from sm_ssh_entry.connect.copy.shown import shown, size


def test_escape_sequences_and_broken_names_are_written_out() -> None:
    assert shown("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
    assert shown(b"\xff\xc3\xbc") == "\\udcffü"
    assert shown("日本 x") == "日本 x"


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 1000, 2_500_000, 3e12)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "2.5 MB",
        "3000.0 GB",
    ]
