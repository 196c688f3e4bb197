from __future__ import annotations

import asyncio

import pytest

from sm_ssh_entry.pump.delivery import DELIVERY_BYTES, Delivery
from sm_ssh_entry.wire.events import ChannelClosed, DataReceived, Event, Paused
from sm_ssh_entry.wire.message import PayloadType


def data(payload: bytes) -> DataReceived:
    return DataReceived(payload, PayloadType.OUTPUT)


def test_in_order_and_until_the_end_of_the_session() -> None:
    async def test() -> None:
        progress: list[int] = []
        seen: list[Event] = []
        delivery = Delivery(lambda: progress.append(len(seen)))
        delivery.put([data(b"a"), Paused()])
        running = asyncio.create_task(delivery.run(seen.append))
        await asyncio.sleep(0)
        delivery.put([ChannelClosed("bye"), data(b"never")])
        await asyncio.wait_for(running, 120)
        assert seen == [data(b"a"), Paused(), ChannelClosed("bye")]
        assert progress == [1, 2]
        assert delivery.closed_by_service

    asyncio.run(test())


def test_one_at_a_time() -> None:
    async def test() -> None:
        running = 0

        async def on_event(_: Event) -> None:
            nonlocal running
            running += 1
            assert running == 1
            await asyncio.sleep(0)
            running -= 1

        delivery = Delivery(lambda: None)
        delivery.put([Paused()] * 20)
        delivery.finish()
        await asyncio.wait_for(delivery.run(on_event), 120)

    asyncio.run(test())


@pytest.mark.parametrize(("call", "expected"), [("finish", 3), ("stop", 1)])
def test_finishing_delivers_the_rest_and_stopping_does_not(call: str, expected: int) -> None:
    async def test() -> None:
        seen: list[Event] = []
        delivery = Delivery(lambda: None)

        def on_event(event: Event) -> None:
            seen.append(event)
            getattr(delivery, call)()

        delivery.put([Paused()] * 3)
        await asyncio.wait_for(delivery.run(on_event), 120)
        assert len(seen) == expected

    asyncio.run(test())


def test_levels() -> None:
    delivery = Delivery(lambda: None)
    levels = []
    for size in (0, DELIVERY_BYTES // 2, DELIVERY_BYTES // 2, DELIVERY_BYTES):
        delivery.put([data(bytes(size))])
        levels.append((delivery.has_room, delivery.is_full, delivery.is_flooded))
    assert levels == [(True, False, False), (False, False, False), (False, True, False), (False, True, True)]
