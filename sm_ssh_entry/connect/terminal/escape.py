"""Escapes: what the user types for us and not for the node, as in ``ssh``: ``~`` at the beginning of a line.

    ~.  leave, whatever the network does
    ~?  help
    ~~  one ~

A piece that is too long to be typed, or stands between the marks of a bracketed paste, is a paste, and passes as it is.
"""

from __future__ import annotations

from enum import Enum

HELP = "\r\n  ~.  leave\r\n  ~~  send ~\r\n  ~?  this list\r\n(after Enter)\r\n"
#: Bytes that one read brings at most while somebody types, even one who did not wait for a slow machine.
TYPED_BYTES = 32
_PASTE_BEGINS, _PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
_NEWLINES = b"\r\n"


class Wish(Enum):
    """What the user wants of us."""

    LEAVE = "leave"
    HELP = "help"


class Escapes:
    """Finds the escapes in what is typed."""

    def __init__(self) -> None:
        self._at_start = True
        self._held = self._pasting = False

    def take(self, data: bytes) -> tuple[bytes, list[Wish]]:
        """Take a piece of input.

        Args:
            data: as it was read.

        Returns:
            What goes to the node, and what is wanted of us. After LEAVE nothing goes to the node any more.
        """
        if self._is_paste(data):
            held, self._held = b"~" if self._held else b"", False
            self._at_start = data[-1:] in _NEWLINES
            return held + data, []
        passed, wishes = bytearray(), list[Wish]()
        for byte in data:
            if self._held:
                self._held = False
                if byte == ord("."):
                    return bytes(passed), [*wishes, Wish.LEAVE]
                if byte == ord("?"):
                    wishes.append(Wish.HELP)
                    self._at_start = True
                    continue
                if byte != ord("~"):
                    passed += b"~"
            elif byte == ord("~") and self._at_start:
                self._held = True
                continue
            passed.append(byte)
            self._at_start = byte in _NEWLINES
        return bytes(passed), wishes

    def _is_paste(self, data: bytes) -> bool:
        pasting = self._pasting
        begins, ends = data.rfind(_PASTE_BEGINS), data.rfind(_PASTE_ENDS)
        if begins != ends:
            self._pasting = begins > ends
        return pasting or begins >= 0 or len(data) > TYPED_BYTES
