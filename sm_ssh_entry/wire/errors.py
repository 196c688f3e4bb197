"""The two ways the protocol can be broken, told apart by who broke it.

ProtocolError
├── LocalProtocolError    we asked for something the protocol forbids: a bug on this side
└── RemoteProtocolError   the peer sent something the protocol forbids: drop it, or the peer
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Root of every error that ``wire`` raises."""


class LocalProtocolError(ProtocolError):
    """The caller of the core asked for something that is not allowed now, or at all. Nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are malformed, too large, or of a kind this role never receives.

    The core is left as it was before those bytes: it may go on receiving.
    """
