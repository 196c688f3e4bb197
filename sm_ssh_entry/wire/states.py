"""The life of a data channel, as a table: state -> signal -> next state.

A signal is a message that changes what may come next, whoever sent it: this file does not know the roles. An entry that
is missing is a violation: of the caller's when the message was to be sent, of the peer's when it was received.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    """Where a data channel stands."""

    #: Nothing has been said yet.
    OPENING = "opening"
    #: The agent has asked for the handshake.
    REQUESTED = "requested"
    #: The client has answered.
    ANSWERED = "answered"
    #: Data may flow. Shell sessions get here with their first data, without a handshake.
    ESTABLISHED = "established"
    #: One side has asked for the end; what is still under way may arrive.
    CLOSING = "closing"
    #: The service has closed the channel, or the handshake has failed. Final.
    CLOSED = "closed"


class Signal(Enum):
    """What moves a data channel."""

    #: HandshakeRequest, payload type 5.
    REQUEST = "request"
    #: HandshakeResponse, payload type 6.
    RESPONSE = "response"
    #: HandshakeComplete, payload type 7.
    COMPLETE = "complete"
    #: Output, standard error, terminal size, exit code, or a flag that does not end the session.
    DATA = "data"
    #: Flag 2 (TerminateSession), or ``agent_session_state`` Terminating.
    TERMINATE = "terminate"
    #: ``channel_closed``, or a handshake that failed.
    CLOSE = "close"


TRANSITIONS: Mapping[State, Mapping[Signal, State]] = {
    State.OPENING: {
        Signal.REQUEST: State.REQUESTED,
        Signal.DATA: State.ESTABLISHED,
        Signal.TERMINATE: State.CLOSING,
        Signal.CLOSE: State.CLOSED,
    },
    State.REQUESTED: {
        Signal.RESPONSE: State.ANSWERED,
        Signal.TERMINATE: State.CLOSING,
        Signal.CLOSE: State.CLOSED,
    },
    State.ANSWERED: {
        Signal.COMPLETE: State.ESTABLISHED,
        Signal.TERMINATE: State.CLOSING,
        Signal.CLOSE: State.CLOSED,
    },
    State.ESTABLISHED: {
        Signal.DATA: State.ESTABLISHED,
        Signal.TERMINATE: State.CLOSING,
        Signal.CLOSE: State.CLOSED,
    },
    State.CLOSING: {
        Signal.DATA: State.CLOSING,
        Signal.TERMINATE: State.CLOSING,
        Signal.CLOSE: State.CLOSED,
    },
    State.CLOSED: {
        Signal.CLOSE: State.CLOSED,
    },
}


def next_state(state: State, signal: Signal) -> State | None:
    """Return the state after a signal, or None if the signal is not allowed there."""
    return TRANSITIONS[state].get(signal)
