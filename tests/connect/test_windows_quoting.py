"""Words as one string, read back by the rules of CommandLineToArgvW as Microsoft documents them."""

from __future__ import annotations

import random
import shlex

import pytest

from sm_ssh_entry.connect import windows_quoting


def read_back(line: str) -> list[str]:
    """Take a command line apart: "Parsing C++ command-line arguments", learn.microsoft.com."""
    words: list[str] = []
    word, inside, started, index = "", False, False, 0
    while index < len(line):
        letter = line[index]
        if letter == "\\":
            end = index
            while end < len(line) and line[end] == "\\":
                end += 1
            count = end - index
            index = end
            if end < len(line) and line[end] == '"':
                word += "\\" * (count // 2)
                if count % 2:
                    word += '"'
                    index += 1
            else:
                word += "\\" * count
            started = True
            continue
        if letter == '"':
            inside, started = not inside, True
        elif letter in " \t" and not inside:
            if started:
                words.append(word)
            word, started = "", False
        else:
            word, started = word + letter, True
        index += 1
    return [*words, word] if started else words


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("a b", '"a b"'),
        ("C:\\a b\\", '"C:\\a b\\\\"'),
        ('say "hi"', '"say \\"hi\\""'),
        ('a\\"b', '"a\\\\\\"b"'),
    ],
)
def test_single_words(word: str, expected: str) -> None:
    assert windows_quoting.quoted(word) == expected


def test_any_words_come_back() -> None:
    source = random.Random(4711)
    for _ in range(2000):
        words = ["".join(source.choices("ab \\\"'\t%&", k=source.randrange(6))) for _ in range(source.randrange(1, 5))]
        line = " ".join(windows_quoting.quoted(word) for word in words)
        assert read_back(line) == words


def test_a_proxy_command_is_read_alike_by_windows_and_by_bash() -> None:
    words = ["C:\\Program Files\\Python\\python.exe", "-m", "x", "--outcome", "C:\\Users\\A B\\o.json", "--region", "r"]
    line = windows_quoting.proxy_line(words)
    assert line.startswith('"C:/Program Files/Python/python.exe" -m x --outcome "')
    assert read_back(line) == [words[0].replace("\\", "/"), *words[1:]]
    # Git for Windows: its bash leaves a backslash alone where no special letter follows.
    assert shlex.split(line) == read_back(line)
