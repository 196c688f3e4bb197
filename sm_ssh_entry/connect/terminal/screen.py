"""What the programs of a session have switched on in the user's terminal, and how it is switched off again.

A program that ends does that itself. One whose session breaks, or is left by ``~.``, cannot any more, and would leave
the user with a hidden cursor, a second screen, or a mouse that types.
"""

from __future__ import annotations

import re

# Private modes of xterm and its like (ctlseqs, "DEC Private Mode Set"): keys, wheel, mouse, focus, screens, paste.
_ON_IS_UNUSUAL = frozenset({1, 9, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049, 2004})
_CURSOR = 25
_SEQUENCE = re.compile(rb"\x1b\[\?([0-9;]*)([hl])")
_UNFINISHED = re.compile(rb"\x1b(\[(\?[0-9;]{0,64})?)?\Z")
_RESET_STYLE = b"\x1b[0m"


class Screen:
    """Follows the output of a session."""

    def __init__(self) -> None:
        self._changed: dict[int, bool] = {}
        self._rest = b""

    def follow(self, data: bytes) -> None:
        """Take a piece of output; a sequence may be cut anywhere."""
        if b"\x1b" not in data and not self._rest:
            return
        text = self._rest + data
        for numbers, what in _SEQUENCE.findall(text):
            for number in numbers.split(b";"):
                self._note(int(number or 0), what == b"h")
        unfinished = _UNFINISHED.search(text)
        self._rest = unfinished.group() if unfinished else b""

    def undoing(self) -> bytes:
        """Return what brings the terminal back; ``b""``: nothing is left behind."""
        left = [b"\x1b[?%d%s" % (mode, b"l" if on else b"h") for mode, on in self._changed.items()]
        return b"".join(left) + _RESET_STYLE if left else b""

    def _note(self, mode: int, on: bool) -> None:
        if mode not in _ON_IS_UNUSUAL and mode != _CURSOR:
            return
        if on is (mode != _CURSOR):
            self._changed[mode] = on
        else:
            self._changed.pop(mode, None)
