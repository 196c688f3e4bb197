"""The gap between calls, by a clock of the test's own."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect.fleet.pace import Pace
from sm_ssh_entry.errors import ServiceError, Throttled


class World:
    """A clock that only waiting moves on, and a service that takes so many calls a second."""

    def __init__(self, rate: float) -> None:
        self.now, self.taken, self.refused = 0.0, 0, 0
        self._rate, self._tokens, self._then = rate, rate, 0.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def call(self) -> int:
        """Take one call, or refuse it; each takes 10 ms."""
        self.now += 0.01
        self._tokens = min(self._rate, self._tokens + (self.now - self._then) * self._rate)
        self._then = self.now
        if self._tokens < 1:
            self.refused += 1
            raise Throttled("slower")
        self._tokens -= 1
        self.taken += 1
        return self.taken


def pace(world: World) -> Pace:
    return Pace(clock=lambda: world.now, pause=world.pause, random_=lambda: 0.5)


@pytest.mark.parametrize("rate", [2.0, 5.0, 20.0])
def test_it_finds_the_pace_that_a_service_takes(rate: float) -> None:
    world = World(rate)
    ours = pace(world)
    assert [ours.call(world.call) for _ in range(300)] == list(range(1, 301))
    assert world.refused < 120, "most calls are made when they are taken"
    assert 300 / world.now > rate / 3, "and most of what is taken is used"


def test_without_throttling_nothing_is_waited_for() -> None:
    world = World(1e9)
    ours = pace(world)
    for _ in range(100):
        ours.call(world.call)
    assert world.now == pytest.approx(1.0)


def test_after_a_refusal_it_becomes_fast_again() -> None:
    world = World(1e9)
    ours = pace(world)
    failures = [Throttled("slower")] * 3

    def first_refused() -> int:
        if failures:
            raise failures.pop()
        return world.call()

    ours.call(first_refused)
    assert ours.gap > 0
    for _ in range(60):
        ours.call(world.call)
    assert ours.gap == 0


def test_it_ends_where_nothing_goes_through() -> None:
    world = World(0.0)
    with pytest.raises(Throttled):
        pace(world).call(world.call)
    assert 300 <= world.now < 320


def test_other_errors_are_not_tried_again() -> None:
    def fail() -> None:
        raise ServiceError("no")

    with pytest.raises(ServiceError):
        Pace().call(fail)
