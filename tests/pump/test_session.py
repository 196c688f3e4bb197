"""The pump over real websockets: two ends and a relaying service on loopback."""

from __future__ import annotations

import asyncio
import random

import pytest

from sm_ssh_entry.pump import SessionOver, delivery
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.events import ChannelClosed
from sm_ssh_entry.wire.payloads import SessionFlag
from sm_ssh_entry.wire.relay import Side
from tests.pump.service import TIMEOUT, Service, connect, eventually, run

MIB = 1 << 20


class TestOverRealSockets:
    def test_copying_both_ways_and_the_services_end(self) -> None:
        async def test() -> None:
            async with Service() as service:
                client, agent = await connect(service)
                data = random.Random(1).randbytes(3 * MIB)
                await asyncio.gather(client.pump.send_data(data), agent.pump.send_data(data))
                await client.until(lambda: len(client.received) == len(data))
                await agent.until(lambda: len(agent.received) == len(data))
                assert client.received == agent.received == data
                assert await client.pump.drain(TIMEOUT)
                await service.terminate("bye")
                await client.ended()
                await agent.ended()
                assert client.events[-1] == agent.events[-1] == ChannelClosed("bye")
                with pytest.raises(SessionOver):
                    await client.pump.send_data(b"late")

        run(test)

    @pytest.mark.parametrize("seed", range(3))
    def test_the_line_is_cut_in_the_middle_of_a_copy_both_ways(self, seed: int) -> None:
        async def test() -> None:
            async with Service() as service:
                client, agent = await connect(service)
                data = random.Random(seed).randbytes(8 * MIB)
                sending = asyncio.gather(client.pump.send_data(data), agent.pump.send_data(data))
                await client.until(lambda: len(client.received) > 2 * MIB)
                await service.cut()
                await eventually(lambda: not client.pump.connected and not agent.pump.connected, "both notice")
                await eventually(lambda: client.dialled > 2 and agent.dialled > 2, "both try in vain")
                await service.start()
                await sending
                await client.until(lambda: len(client.received) >= len(data))
                await agent.until(lambda: len(agent.received) >= len(data))
                assert client.received == agent.received == data
                assert service.opened == 4
                await client.leave()
                await agent.leave()

        run(test)

    def test_one_end_alone_is_cut(self) -> None:
        async def test() -> None:
            async with Service() as service:
                client, agent = await connect(service)
                for side in Side:
                    service.sockets[side].transport.abort()
                    await client.pump.send_data(b"up")
                    await agent.pump.send_data(b"down")
                await client.until(lambda: bytes(client.received) == b"downdown")
                await agent.until(lambda: bytes(agent.received) == b"upup")
                await client.leave()
                await agent.leave()

        run(test)

    def test_five_percent_loss(self) -> None:
        async def test() -> None:
            async with Service(loss=0.05) as service:
                client, agent = await connect(service)
                data = random.Random(2).randbytes(8 * MIB)
                await asyncio.gather(client.pump.send_data(data), agent.pump.send_data(data))
                await client.until(lambda: len(client.received) == len(data))
                await agent.until(lambda: len(agent.received) == len(data))
                assert client.received == agent.received == data
                await client.leave()
                await agent.leave()

        run(test)

    def test_small_things_arrive_in_order_with_the_data(self) -> None:
        async def test() -> None:
            async with Service() as service:
                client, agent = await connect(service)
                await client.pump.send_size(132, 43)
                await client.pump.send_flag(SessionFlag.DISCONNECT_TO_PORT)
                await agent.until(lambda: ev.FlagReceived(1) in agent.events)
                assert ev.SizeReceived(132, 43) in agent.events
                await agent.pump.send_session_state("Connected")
                await agent.pump.send_data(b"out")
                await agent.pump.send_data(b"err", stderr=True)
                await agent.pump.send_exit_code(3)
                await client.until(lambda: client.events[-1] == ev.ExitCodeReceived(3))
                assert bytes(client.received) == b"outerr"
                await client.pump.terminate()
                await agent.until(lambda: ev.FlagReceived(2) in agent.events)
                await client.leave()
                await agent.leave()
                assert service.relay.agent_state == "Connected"

        run(test)

    def test_a_slow_consumer_stops_the_sender_and_loses_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery, "DELIVERY_BYTES", 256 * 1024)

        async def test() -> None:
            async with Service() as service:
                client, agent = await connect(service, window=8)
                client.gate.clear()
                data = random.Random(3).randbytes(4 * MIB)
                sending = asyncio.create_task(agent.pump.send_data(data))
                await eventually(lambda: not client.channel.accepting, "the client is full")
                await eventually(lambda: agent.channel.unacknowledged >= 8, "the agent's window is full")
                assert client.channel.held_bytes <= 9 * 33_024
                # The other direction goes on: receipts are still read.
                await client.pump.send_data(bytes(MIB))
                await agent.until(lambda: len(agent.received) == MIB)
                assert not sending.done()
                client.gate.set()
                await sending
                await client.until(lambda: len(client.received) == len(data))
                assert client.received == data
                await client.leave()
                await agent.leave()

        run(test)

    def test_two_senders_do_not_interleave(self) -> None:
        async def test() -> None:
            async with Service() as service:
                client, agent = await connect(service, max_payload=100, window=2)
                blocks = [bytes([number]) * 5000 for number in range(5)]
                await asyncio.gather(*(client.pump.send_data(block) for block in blocks))
                await agent.until(lambda: len(agent.received) == 25_000)
                assert bytes(agent.received) == b"".join(blocks)
                await client.leave()
                await agent.leave()

        run(test)
