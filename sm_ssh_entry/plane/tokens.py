"""Tokens that open a channel: given out by a signed call, shown once in a WebSocket's first frame. No I/O."""

from __future__ import annotations

import secrets
from collections.abc import Callable

# The public model allows a TokenValue of at most 300 characters; 96 random bytes are 128 in base64.
_BYTES = 96


class Tokens:
    """What each channel may be opened with: one token at a time, good for one use and a short while.

    A purpose names one channel and one role on it, such as ``("agent", session_id)``.

    Args:
        clock: gives epoch seconds.
        lifetime: gives the seconds for which a token can be used.
    """

    def __init__(self, clock: Callable[[], float], lifetime: Callable[[], float]) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._valid: dict[tuple[str, str], tuple[str, float]] = {}

    def issue(self, role: str, channel: str) -> str:
        """Make the token of a purpose; one that was given out before is void from now on."""
        token = secrets.token_urlsafe(_BYTES)
        self._valid[role, channel] = (token, self._clock() + self._lifetime())
        return token

    def redeem(self, role: str, channel: str, token: str) -> bool:
        """Use a token up. False: it is wrong, was used, or is too old. A wrong one costs the right one nothing."""
        valid, expires = self._valid.get((role, channel), ("", 0.0))
        if not valid or not secrets.compare_digest(valid.encode(), token.encode("utf-8", "surrogatepass")):
            return False
        del self._valid[role, channel]
        return self._clock() < expires

    def forget(self, channel: str) -> None:
        """Void every token of a channel."""
        self._valid = {purpose: valid for purpose, valid in self._valid.items() if purpose[1] != channel}

    def clear(self) -> None:
        """Void every token."""
        self._valid.clear()
