"""Log lines on a terminal: colours stay, whatever else a terminal would obey goes."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_ssh_entry.connect.fleet.terminal_text import cleaned


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        ("plain\ttext ü 日本 🙂", "plain\ttext ü 日本 🙂"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[1;38;5;208mbold", "\x1b[1;38;5;208mbold\x1b[0m"),
        ("\x9b32mgreen", "\x1b[32mgreen\x1b[0m"),
        ("a\x1b[2Jb\x1b[10;10Hc\x1b[?1049hd\x1b[6ne", "abcde"),
        ("a\x1b[>4;2mb", "ab"),
        ("a\x1b[ mb", "ab"),
        ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\c", "ablinkc"),
        ("a\x1bPq#0;2\x1b\\b\x1b_x\x1b\\c\x1b^y\x1b\\d", "abcd"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x1bcb\x1b(0c\x1b7d", "abcd"),
        ("a\x1b]0;never ends", "a"),
        ("a\x1b[31", "a"),
        ("a\x1b", "a"),
        ("a\x1b\x1b[31mb", "a\x1b[31mb\x1b[0m"),
        ("a\x1b[3\x1b[2Jb", "ab"),
        ("bell\x07 back\x08 null\x00 del\x7f next\x85line", "bell back null del nextline"),
        ("user\u202egnp.exe\u2066", "usergnp.exe"),
        ("10%\r 50%\r100%\r", "10%\n 50%\n100%"),
        ("a\r\n\nb", "a\nb"),
        ("a\n\nb", "a\n\nb"),
        ("\x1b[31mred\nstill", "\x1b[31mred\x1b[0m\nstill"),
    ],
)
def test_lines(logged: str, shown: str) -> None:
    assert cleaned(logged) == shown


@given(st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x9d[]mP\\;0?1\r\n\x07 "))))
def test_any_text_leaves_nothing_but_colours(text: str) -> None:
    rest = re.sub(r"\x1b\[[0-9;:]*m", "", cleaned(text))
    assert not [letter for letter in rest if unicodedata.category(letter) == "Cc" and letter not in "\t\n"]
    assert cleaned(cleaned(text)).replace("\x1b[0m", "") == cleaned(text).replace("\x1b[0m", "")
