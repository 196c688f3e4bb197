"""Pipes and terminals under the event loop."""

from __future__ import annotations

import asyncio
import os

from sm_ssh_entry.plane.agent.descriptors import Descriptor, pipe


def test_a_pipe_is_read_to_its_end() -> None:
    async def scenario() -> None:
        ours, theirs = pipe()
        reading = asyncio.create_task(ours.read(100))
        await asyncio.sleep(0)
        assert not reading.done()
        os.write(theirs, b"hello")
        assert await reading == b"hello"
        os.close(theirs)
        assert await ours.read(100) == b""
        ours.close()
        assert await ours.read(100) == b""

    asyncio.run(scenario())


def test_finish_gives_the_rest_although_somebody_holds_the_other_end() -> None:
    async def scenario() -> None:
        ours, theirs = pipe()
        reading = asyncio.create_task(ours.read(3))
        await asyncio.sleep(0)
        ours.finish()
        assert await reading == b""
        os.write(theirs, b"abcdef")
        assert [await ours.read(3), await ours.read(4), await ours.read(4)] == [b"abc", b"def", b""]
        os.close(theirs)
        ours.close()

    asyncio.run(scenario())


def test_a_terminal_without_users_has_ended() -> None:
    async def scenario() -> None:
        leader, follower = os.openpty()
        terminal = Descriptor(leader)
        os.write(follower, b"last")
        os.close(follower)
        assert await terminal.read(100) == b"last"
        assert await terminal.read(100) == b""
        terminal.close()

    asyncio.run(scenario())


def test_writing_waits_for_the_reader_and_ends_with_it() -> None:
    async def scenario() -> None:
        read, write = os.pipe()
        ours = Descriptor(write)
        writing = asyncio.create_task(ours.write(bytes(1 << 20)))
        taken = 0
        os.set_blocking(read, False)
        while taken < 1 << 20:
            try:
                taken += len(os.read(read, 1 << 16))
            except BlockingIOError:
                await asyncio.sleep(0)
        assert await writing is True
        stuck = asyncio.create_task(ours.write(bytes(1 << 20)))
        await asyncio.sleep(0)
        os.close(read)
        assert await stuck is False
        ours.close()
        assert await ours.write(b"x") is False

    asyncio.run(scenario())


def test_closing_wakes_who_waits() -> None:
    async def scenario() -> None:
        ours, theirs = pipe()
        reading = asyncio.create_task(ours.read(1))
        await asyncio.sleep(0)
        ours.close()
        ours.close()
        assert await reading == b""
        os.close(theirs)

    asyncio.run(scenario())
