"""Delays grow, stay below their cap, and start small where nobody should notice."""

from __future__ import annotations

from itertools import islice

import pytest

from sm_ssh_entry.plane.agent.backoff import delays, reconnect_delays


@pytest.mark.parametrize("jitter", [0.0, 0.5])
def test_delays_double_up_to_the_cap(jitter: float) -> None:
    for delay, base in zip(islice(delays(0.1, 1.0, jitter=jitter), 8), [0.1, 0.2, 0.4, 0.8, 1, 1, 1, 1], strict=True):
        assert base <= delay <= base * (1 + jitter) + 1e-9


def test_a_lost_channel_is_opened_again_soon_and_never_given_up() -> None:
    found = list(islice(reconnect_delays(), 20))
    assert 0 <= found[0] <= 0.5
    assert all(30.0 <= delay <= 45.0 for delay in found[-5:])
    assert len({next(reconnect_delays()) for _ in range(20)}) > 1
