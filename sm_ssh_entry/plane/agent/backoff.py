"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first: float, cap: float, *, jitter: float = 0.2) -> Iterator[float]:
    """Yield delays in seconds for ever: each twice the one before, up to a cap, with a random part on top.

    Args:
        first: first delay.
        cap: largest delay, before the random part.
        jitter: largest random part, as a share of the delay.
    """
    delay = first
    while True:
        yield delay * (1 + random.uniform(0, jitter))  # noqa: S311 - spreads load, keeps no secret
        delay = min(cap, delay * 2)


def reconnect_delays() -> Iterator[float]:
    """Yield delays for a lost channel: 0 to 0.5 s at first, so that nobody notices, then 0.5 s doubling to 30 s."""
    yield random.uniform(0, 0.5)  # noqa: S311 - spreads load, keeps no secret
    yield from delays(0.5, 30.0, jitter=0.5)
