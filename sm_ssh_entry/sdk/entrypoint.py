"""Our entrypoint before another: for containers whose own entrypoint is replaced by the SDK or by the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sm_ssh_entry.contract import Paths

ENTRY = (Paths().bin / "sm-ssh-entry").as_posix()
# What follows is a command, whatever its first word: `start` for one is also a word of our own.
PREFIX = (ENTRY, "--")


def stripped(words: Sequence[Any] | None) -> list[Any]:
    """Return an entrypoint without ours before it.

    Args:
        words: an entrypoint; None: there is none.
    """
    rest = [words] if isinstance(words, str) else list(words or [])
    # Comparing with a pipeline's variable makes a condition, which is true: only texts are compared.
    while rest and isinstance(rest[0], str) and rest[0] == ENTRY:
        rest.pop(0)
        if rest and isinstance(rest[0], str) and rest[0] == PREFIX[1]:
            rest.pop(0)
    return rest


def prefixed(words: Sequence[Any] | None) -> list[Any]:
    """Return an entrypoint with ours before it, once; empty where there is none: the image's own is in place then.

    Args:
        words: an entrypoint; None: there is none.
    """
    rest = stripped(words)
    return [*PREFIX, *rest] if rest else []
