"""A container's line made fit for a terminal: it may have colours, and nothing else that a terminal obeys.

Escape sequences can move the cursor over what stands there, set the window's title, and on some terminals more. They
are taken out, and so is what remains that is not printable. Sources: ECMA-48, sections 5.3 to 5.6 and 8.3.117.
"""

from __future__ import annotations

import re

_SEQUENCE = re.compile(
    r"""
    (?:\x1b\[|\x9b) (?P<parameters>[0-?]*) [ -/]* (?P<final>[@-~])?       # control sequences; those cut short too
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]) .*? (?:\x07|\x1b\\|\x9c|$)     # strings: titles, device control, privacy
    | \x1b [ -/]* [0-~]?                                                  # other escapes
    """,
    re.VERBOSE | re.DOTALL,
)
_COLOUR = re.compile(r"[0-9;:]*")
# Control characters but the tab and the escape of a colour; line and paragraph separators; what turns the direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_RESET = "\x1b[0m"


def cleaned(text: str) -> str:
    """Return a log's line, or several, as a terminal may have it.

    A carriage return, with which a progress bar overwrites itself, begins a new line: nothing is hidden.

    Args:
        text: as it was logged, without the end of its line.
    """
    lines = (_line(line) for line in re.split(r"\r\n|\r|\n", text))
    return "\n".join(line for line in lines if line) if "\r" in text else "\n".join(map(_line, text.split("\n")))


def _line(text: str) -> str:
    coloured = False

    def keep(match: re.Match[str]) -> str:
        nonlocal coloured
        if match["final"] == "m" and _COLOUR.fullmatch(match["parameters"] or "") and " " not in match[0]:
            coloured = True
            return "\x1b[" + (match["parameters"] or "") + "m"
        return ""

    kept = _CONTROL.sub("", _SEQUENCE.sub(keep, text))
    return kept + _RESET if coloured else kept
