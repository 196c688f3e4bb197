"""When a connection is doubted and when it is given up, by the clock of the test."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sm_ssh_entry.pump.watch import Pace, Verdict, Watch

PACE = Pace()
LIVES, ASK, DEAD, STALLED = Verdict.LIVES, Verdict.ASK, Verdict.DEAD, Verdict.STALLED


@dataclass
class World:
    """Two clocks, a connection and the one who looks."""

    now: float = 1000.0
    wall: float = 1.7e9
    reading: bool = True
    stalled_since: float | None = None
    receipts: int = 0

    def __post_init__(self) -> None:
        self.watch = Watch(PACE)
        self.watch.begin(self.now, self.wall)
        self.began = self.now

    def look(self, after: float = PACE.look_every) -> Verdict:
        """Let time pass, then look."""
        self.now += after
        self.wall += after
        return self.watch.look(
            self.now, self.wall, reading=self.reading, stalled_since=self.stalled_since, receipts=self.receipts
        )

    def until(self, *wanted: Verdict) -> float:
        """Look until a verdict falls; return the seconds since the beginning."""
        for _ in range(1000):
            if self.look() in wanted:
                return self.now - self.began
        raise AssertionError(wanted)


def test_the_numbers_as_shipped() -> None:
    assert Pace(10.0, 15.0, 2.0, 12.0, 2.0) == PACE
    # The bound that users are told, and the service's wish for a sign of life each minute.
    assert PACE.ping_interval + PACE.ping_timeout + PACE.look_every < 30
    assert PACE.stall_after + PACE.look_every < 30
    assert PACE.ping_interval < 60


def test_a_dead_network_is_found_within_thirty_seconds() -> None:
    world = World()
    assert world.until(ASK) == PACE.ping_interval
    assert world.until(DEAD) <= 27


def test_answers_keep_a_quiet_connection_alive() -> None:
    world, asked = World(), 0
    for _ in range(1000):
        verdict = world.look()
        if verdict is ASK:
            asked += 1
            world.watch.heard(world.now + 1)
        assert verdict in (LIVES, ASK)
    assert asked > 100


def test_what_is_heard_anyway_spares_the_ping() -> None:
    world = World()
    for _ in range(100):
        world.watch.heard(world.now)
        assert world.look() is LIVES


def test_who_does_not_read_hears_nothing_and_blames_nobody() -> None:
    world = World(reading=False)
    assert {world.look() for _ in range(100)} == {LIVES}
    world.reading = True
    world.began = world.now
    assert world.until(ASK) == PACE.ping_interval


def test_a_peer_that_owes_receipts_is_told_once_for_each_silence() -> None:
    world = World()
    for receipts in (0, 1):
        world.stalled_since, world.receipts = world.now, receipts
        verdicts = []
        for _ in range(30):
            world.watch.heard(world.now)  # the service answers pings
            verdicts.append(world.look())
        assert verdicts.index(STALLED) == PACE.stall_after / PACE.look_every - 1
        assert verdicts.count(STALLED) == 1


@pytest.mark.parametrize("clock", ["wall", "monotonic"])
def test_after_a_sleep_it_asks_at_once_and_does_not_wait_long(clock: str) -> None:
    """Linux and macOS stop the monotonic clock while the machine sleeps, Windows does not."""
    world = World()
    world.look()
    if clock == "wall":
        world.wall += 600
        assert world.look() is ASK
    else:
        assert world.look(600) is ASK
    world.began = world.now
    assert world.until(DEAD) == PACE.wake_timeout


def test_a_ping_from_before_the_sleep_is_not_waited_for() -> None:
    world = World()
    world.until(ASK)
    assert world.look(600) is ASK
    world.watch.heard(world.now + 0.1)
    assert world.look() is LIVES


def test_a_clock_that_is_set_costs_a_ping_and_nothing_else() -> None:
    world = World()
    world.wall -= 3600
    assert world.look() is ASK
    world.watch.heard(world.now)
    assert {world.look() for _ in range(3)} == {LIVES}
