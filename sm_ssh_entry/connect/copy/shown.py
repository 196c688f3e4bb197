"""Names and words from elsewhere, made fit for a terminal: a file's name may hold anything, escape sequences too."""

from __future__ import annotations


def shown(text: str | bytes) -> str:
    """Return a text with everything that is not printable written as an escape.

    Args:
        text: a path, or a server's words.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def size(count: float) -> str:
    """Return a number of bytes as people read it; a megabyte is a million."""
    if count < 1000:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB"):
        count /= 1000
        if count < 1000:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} GB"
