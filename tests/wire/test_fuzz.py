"""The invariant: any bytes give events or RemoteProtocolError, nothing else; and after bytes that gave
RemoteProtocolError honest traffic goes on as if they had never come. Memory stays within the stated limits throughout.

Seeded, so a failure is found again; bounded, so that it runs with every test run.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from sm_ssh_entry.wire import control, openers, payloads, stream
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import decode, read_header
from sm_ssh_entry.wire.relay import MAX_WAITING_FRAMES, Relay
from sm_ssh_entry.wire.smux import MAX_STREAMS, MuxSession
from tests.wire.mutants import Mutants
from tests.wire.pair import ConnectionPair, ids, make_agent, make_client, shaken

SEEDS = range(6)
DECODERS: list[Callable[[bytes], Any]] = [
    decode,
    read_header,
    control.decode_job,
    *(
        kind.decode
        for kind in (
            payloads.Acknowledge,
            payloads.HandshakeRequest,
            payloads.HandshakeResponse,
            payloads.HandshakeComplete,
            payloads.Size,
            payloads.Flag,
            payloads.ExitCode,
            payloads.ChannelClosed,
            payloads.SessionState,
            control.StartSession,
            control.JobAck,
            control.JobReply,
            control.JobReplyAck,
            control.TaskComplete,
            control.TaskAcknowledge,
        )
    ),
]
CONTROL_PAYLOADS = [
    control.StartSession("s", "d", {"schemaVersion": "1.0"}, {"a": "b"}).encode(),
    control.RunCommand("aws.ssm.c.mi", "c", "d", {"mainSteps": []}, {"commands": ["id"]}).encode(),
    control.CancelCommand("aws.ssm.c.mi", "x").encode(),
    control.JobAck("j", "u", "d").encode(),
    control.JobReply("j", "Success", {"a": control.JobStep("Success")}).encode(),
    control.TaskComplete("s", "mi", "Success").encode(),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_decoders(seed: int) -> None:
    mutants = Mutants(seed)
    accepted = 0
    for number in range(600):
        honest = CONTROL_PAYLOADS[number % len(CONTROL_PAYLOADS)]
        for data in (mutants.payload(), mutants.broken(honest), mutants.frame()):
            for decoder in DECODERS:
                try:
                    decoder(data)
                    accepted += 1
                except RemoteProtocolError:
                    pass
    assert accepted  # the mutants are not all so broken that nothing looks past their first byte


@pytest.mark.parametrize("seed", SEEDS)
def test_openers(seed: int) -> None:
    mutants = Mutants(seed)
    honest = openers.OpenClientChannel("T", "u", "c", "1.2.3.4").encode().encode()
    for _ in range(500):
        text = mutants.broken(honest).decode("utf-8", errors="surrogateescape")
        for decoder in (openers.decode_data_opener, openers.OpenControlChannel.decode):
            with contextlib.suppress(RemoteProtocolError):
                decoder(text)


def make(role: Role, *, shaken_hands: bool) -> DataChannel:
    pair = ConnectionPair(make_client(), make_agent())
    if shaken_hands:
        shaken(pair)
    else:
        pair.agent.start_handshake(0.0)
        pair.agent.frames_to_send()
    return pair.channels[role]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("shaken_hands", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_channel_takes_anything(seed: int, shaken_hands: bool, role: Role) -> None:
    mutants = Mutants(seed)
    dice = random.Random(seed)
    channel = make(role, shaken_hands=shaken_hands)
    now, near, refused = 1.0, 0, 0
    for _ in range(1500):
        now += dice.choice([0.0, 0.001, 0.2, 3.0])
        try:
            channel.receive(mutants.frame(near=near), now)
        except RemoteProtocolError:
            refused += 1
        channel.tick(now)
        if channel.frames_to_send():
            near += dice.choice([0, 0, 1])
        channel.next_deadline()
        channel.accepting = dice.random() < 0.8
        assert channel.held_bytes <= stream.MAX_HELD_BYTES
        assert channel.unacknowledged < 10
    assert refused


@pytest.mark.parametrize("seed", SEEDS)
def test_after_malformed_bytes_honest_traffic_goes_on(seed: int) -> None:
    """Each mutant is tried on a copy first. Those that the copy refuses are fed to the real channel."""
    mutants = Mutants(seed)
    dice = random.Random(seed)
    pair = ConnectionPair(make_client(max_payload=50), make_agent(max_payload=50), seed=seed)
    refused = 0

    def attack() -> bool:
        """Never true, so that it can stand in front of a condition."""
        nonlocal refused
        for channel in pair.channels.values():
            frame = mutants.frame(near=dice.randrange(5))
            try:
                copy.deepcopy(channel).receive(frame, pair.now)
            except RemoteProtocolError:
                refused += 1
                with pytest.raises(RemoteProtocolError):
                    channel.receive(frame, pair.now)
        return False

    pair.agent.start_handshake(0.0)
    up, down = dice.randbytes(3000), dice.randbytes(3000)
    pair.sources[Role.CLIENT] = memoryview(up)
    attack()
    pair.run(lambda: attack() or pair.client.writable)
    pair.sources[Role.AGENT] = memoryview(down)
    pair.run(lambda: attack() or (pair.received(Role.AGENT) == up and pair.received(Role.CLIENT) == down))
    assert refused > 20


@pytest.mark.parametrize("seed", SEEDS)
def test_a_relay_takes_anything(seed: int) -> None:
    mutants = Mutants(seed)
    dice = random.Random(seed)
    relay = Relay("s", new_id=ids(), wall_ms=lambda: 1)
    moves = [relay.agent_joined, relay.agent_left, relay.client_joined, relay.client_left]
    refused = 0
    for number in range(3000):
        take = dice.choice([relay.from_agent, relay.from_client])
        try:
            routed = take(mutants.frame(near=number))
        except RemoteProtocolError:
            refused += 1
        else:
            assert len(routed) <= 1
        if dice.random() < 0.02:
            dice.choice(moves)()
        assert relay.waiting_frames <= 2 * MAX_WAITING_FRAMES
    assert refused


@pytest.mark.parametrize("seed", range(30))
def test_smux_takes_anything(seed: int) -> None:
    mutants = Mutants(seed)
    dice = random.Random(seed)
    peer = MuxSession(client=True)
    session = MuxSession(client=False)
    failed = False
    for _ in range(300):
        if dice.random() < 0.5 or not peer.streams:
            peer.open_stream()
        else:
            peer.send(dice.choice(sorted(peer.streams)), dice.randbytes(dice.randrange(1, 200)))
        data = peer.bytes_to_send()
        if dice.random() < 0.05:
            data = mutants.broken(data)
        try:
            session.receive(data)
        except RemoteProtocolError:
            failed = True
        session.bytes_to_send()
        if failed:
            with pytest.raises(RemoteProtocolError):
                session.receive(b"")
        assert len(session.streams) <= MAX_STREAMS
