"""Two cores, and between them a network that loses, doubles and reorders: what arrives is what was sent, in good time.

Seconds here are those of the pair's own clock: a bound on them is a bound on the protocol and not on the machine.
"""

from __future__ import annotations

import random

import pytest

from sm_ssh_entry.wire.channel import Role
from sm_ssh_entry.wire.events import Deadline, DeadlinePassed
from tests.wire.pair import ConnectionPair, make_agent, make_client, shaken

KIB = 1024


def copy_both_ways(pair: ConnectionPair, size: int) -> None:
    dice = random.Random(7)
    up, down = dice.randbytes(size), dice.randbytes(size)
    pair.sources = {Role.CLIENT: memoryview(up), Role.AGENT: memoryview(down)}
    pair.run(lambda: not pair.sources[Role.CLIENT] and not pair.sources[Role.AGENT] and not pending(pair))
    assert pair.received(Role.AGENT) == up
    assert pair.received(Role.CLIENT) == down


def pending(pair: ConnectionPair) -> int:
    return pair.client.unacknowledged + pair.agent.unacknowledged


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("loss", "doubling", "reordering"),
    [(0.0, 0.0, 0.0), (0.05, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.5), (0.05, 0.1, 0.3), (0.4, 0.2, 0.5)],
)
def test_every_byte_arrives_once_and_in_order(seed: int, loss: float, doubling: float, reordering: float) -> None:
    network = {"loss": loss, "doubling": doubling, "reordering": reordering}
    pair = ConnectionPair(make_client(max_payload=KIB), make_agent(max_payload=KIB), seed=seed, **network)
    pair.agent.start_handshake(0.0)
    pair.run(lambda: pair.client.writable)
    copy_both_ways(pair, 200 * KIB)


def test_a_clean_network_is_never_asked_twice() -> None:
    pair = shaken(ConnectionPair(make_client(), make_agent()))
    before = dict(pair.frames_sent)
    copy_both_ways(pair, 500 * KIB)
    for role in Role:
        # 500 messages of its own, 500 receipts for the other's
        assert pair.frames_sent[role] - before[role] == 1000


def test_five_percent_loss_costs_a_few_round_trips_not_a_timeout_each() -> None:
    size, payload = 64 << 20, 32 * KIB
    network = {"loss": 0.05, "doubling": 0.02, "reordering": 0.2}
    client, agent = make_client(max_payload=payload), make_agent(max_payload=payload)
    pair = ConnectionPair(client, agent, seed=3, latency=0.002, **network)
    pair.agent.start_handshake(0.0)
    pair.run(lambda: pair.client.writable)
    pair.sources[Role.AGENT] = memoryview(bytes(size))
    started = pair.now
    pair.run(lambda: not pair.sources[Role.AGENT] and not pair.agent.unacknowledged)
    assert len(pair.received(Role.CLIENT)) == size
    # Of 2,048 messages some 200, or their receipts, are lost. The official rule, the oldest alone and not before its
    # timeout, would need 100 ms for each. What reordering makes look lost is sent again, too.
    assert pair.now - started < 2.0
    assert pair.frames_sent[Role.AGENT] < 2048 * 1.6


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_of_ten_seconds_in_the_middle(seed: int) -> None:
    pair = shaken(ConnectionPair(make_client(), make_agent(), seed=seed))
    data = random.Random(seed).randbytes(300 * KIB)
    pair.sources = {Role.CLIENT: memoryview(data), Role.AGENT: memoryview(data)}
    pair.run(lambda: len(pair.received(Role.CLIENT)) > 100 * KIB)
    pair.cut(10.0)
    cut_until = pair.now
    pair.run(lambda: pair.received(Role.AGENT) == data and pair.received(Role.CLIENT) == data)
    assert pair.now - cut_until < 5.0
    assert not any(isinstance(event, DeadlinePassed) for events in pair.events.values() for event in events)


def test_a_cut_that_swallows_all_receipts_does_not_stop_a_peer_who_gets_no_second() -> None:
    """As with the official plugin, which says nothing about numbers it has had."""
    pair = shaken(ConnectionPair(make_client(), make_agent(window=8)))
    for _ in range(3):
        pair.sources[Role.AGENT] = memoryview(bytes(8 * KIB))
        pair._collect()
        for _, _, role, frame in sorted(pair._flying):
            pair.channels[role].receive(frame, pair.now)
        pair.channels[Role.CLIENT].frames_to_send()  # the receipts, lost with the connection
        pair._flying.clear()
        pair.agent.connected(pair.now)
        pair.agent.frames_to_send()  # sent again, and ignored
    assert pair.agent.unacknowledged == 24
    assert pair.agent.writable


def test_a_handshake_survives_the_loss_of_any_of_its_frames() -> None:
    for lost in range(6):
        pair = ConnectionPair(make_client(), make_agent())
        pair.agent.start_handshake(0.0)
        count = 0
        original = pair._fly

        def fly(to: Role, frame: bytes, *, lost: int = lost, original: object = original) -> None:
            nonlocal count
            count += 1
            if count - 1 != lost:
                original(to, frame)  # type: ignore[operator]

        pair._fly = fly  # type: ignore[method-assign]
        pair.run(lambda pair=pair: pair.client.writable and pair.agent.writable and not pending(pair), limit=5.0)  # type: ignore[misc]


def test_a_peer_that_falls_silent_is_noticed() -> None:
    pair = shaken(ConnectionPair(make_client(give_up_after=300.0), make_agent()))
    pair.client.send_data(b"anybody there?", pair.now)
    pair.is_cut = True
    pair.advance(301.0)
    assert DeadlinePassed(Deadline.ACKNOWLEDGEMENT) in pair.events[Role.CLIENT]
    # Once a second at most, and ever more seldom, for one message.
    assert pair.frames_sent[Role.CLIENT] < 60
