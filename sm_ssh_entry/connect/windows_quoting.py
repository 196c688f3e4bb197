"""Command lines of Windows: one string, which each program takes apart by the rules of CommandLineToArgvW.

OpenSSH for Windows hands a ProxyCommand to CreateProcess, without cmd.exe, and puts the program in quotation marks
unless they are there; the ``ssh`` of Git for Windows hands it to its own bash. Both read what is written here: the
program in quotation marks, with forward slashes, which bash leaves alone and Windows takes like its own.
"""

from __future__ import annotations

from collections.abc import Sequence


def proxy_line(words: Sequence[str]) -> str:
    """Write a ProxyCommand.

    Args:
        words: program and arguments.
    """
    program, *rest = words
    return " ".join(['"' + program.replace("\\", "/") + '"', *(quoted(word) for word in rest)])


def quoted(word: str) -> str:
    """Write one argument so that CommandLineToArgvW reads it back as it is.

    Backslashes stand for themselves, unless a quotation mark follows: then each is doubled.

    Args:
        word: any text.
    """
    if word and not set(word) & set(" \t\n\v\"'\\&|<>()$`;*?"):
        return word
    out: list[str] = []
    backslashes = 0
    for letter in word:
        if letter == "\\":
            backslashes += 1
            continue
        out.append("\\" * (backslashes * 2 + 1 if letter == '"' else backslashes) + letter)
        backslashes = 0
    return '"' + "".join(out) + "\\" * (backslashes * 2) + '"'
