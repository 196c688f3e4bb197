"""What a pump raises by itself."""

from __future__ import annotations


class PumpError(Exception):
    """Root of what ``Pump`` raises by itself.

    PumpError
    ├── ConnectionLost   dialling again did not help in time
    ├── DialRefused      dialling again cannot help
    ├── SessionOver      something was to be sent after the end
    └── PeerBroken       the peer sends nothing but malformed frames
    """


class ConnectionLost(PumpError):
    """The connection is gone and could not be had again in time. ``__cause__`` is the last attempt's error."""


class DialRefused(PumpError):
    """Raised by ``dial`` when another attempt cannot help: the session is over, the token is refused."""


class SessionOver(PumpError):
    """Nothing can be sent any more: the session has ended, or ``Pump.close`` was called."""


class PeerBroken(PumpError):
    """Malformed frames, and no other, kept coming. ``__cause__`` is the last RemoteProtocolError."""
