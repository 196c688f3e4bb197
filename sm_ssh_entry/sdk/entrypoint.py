"""Our entrypoint before another: for containers whose own entrypoint is replaced by the SDK or by the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sm_ssh_entry.contract import ENTRY, ENTRY_PREFIX


def stripped(words: Sequence[Any] | None) -> list[Any]:
    """Return an entrypoint without ours before it, in either form: guarded, or by its name as a user writes it.

    Args:
        words: an entrypoint; None: there is none.
    """
    rest = [words] if words and isinstance(words, str) else list(words or [])
    # Comparing with a pipeline's variable makes a condition, which is true: only texts are compared.
    while True:
        texts = [word if isinstance(word, str) else None for word in rest[: len(ENTRY_PREFIX)]]
        if texts == list(ENTRY_PREFIX):
            rest = rest[len(ENTRY_PREFIX) :]
        elif texts[:1] == [ENTRY]:
            rest = rest[2:] if texts[1:2] == ["--"] else rest[1:]
        else:
            return rest


def prefixed(words: Sequence[Any] | None) -> list[Any]:
    """Return an entrypoint with ours before it, once; empty where there is none: the image's own is in place then.

    Args:
        words: an entrypoint; None: there is none.
    """
    rest = stripped(words)
    return [*ENTRY_PREFIX, *rest] if rest else []
