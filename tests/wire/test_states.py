from __future__ import annotations

import itertools

import pytest

from sm_ssh_entry.wire.states import TRANSITIONS, Signal, State, next_state

# The whole table again, as somebody would draw it: any other pair is a violation.
DRAWN = {
    (State.OPENING, Signal.REQUEST): State.REQUESTED,
    (State.REQUESTED, Signal.RESPONSE): State.ANSWERED,
    (State.ANSWERED, Signal.COMPLETE): State.ESTABLISHED,
    (State.OPENING, Signal.DATA): State.ESTABLISHED,
    (State.ESTABLISHED, Signal.DATA): State.ESTABLISHED,
    (State.CLOSING, Signal.DATA): State.CLOSING,
    **{
        (state, Signal.TERMINATE): State.CLOSING
        for state in (State.OPENING, State.REQUESTED, State.ANSWERED, State.ESTABLISHED, State.CLOSING)
    },
    **{(state, Signal.CLOSE): State.CLOSED for state in State},
}


@pytest.mark.parametrize(("state", "signal"), list(itertools.product(State, Signal)))
def test_every_pair(state: State, signal: Signal) -> None:
    assert next_state(state, signal) is DRAWN.get((state, signal))


def test_every_state_can_be_reached_and_left_towards_the_end() -> None:
    reached = {State.OPENING}
    while True:
        more = reached | {after for state in reached for after in TRANSITIONS[state].values()}
        if more == reached:
            break
        reached = more
    assert reached == set(State)
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}
