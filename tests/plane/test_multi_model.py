"""The models of a container with little room: each invocation finds its model loaded, whoever else asks for what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from sm_ssh_entry.plane import multi_model
from sm_ssh_entry.plane.in_service import name_of
from sm_ssh_entry.plane.model_server import Reply
from sm_ssh_entry.plane.multi_model import Models, NotLoaded


class Container:
    """A container with room for so many models; each step of it takes a turn of the event loop.

    Args:
        room: how many.
    """

    def __init__(self, room: int) -> None:
        self.room, self.loaded, self.asked, self.fetched = room, list[str](), list[str](), list[str]()
        self.broken = ""

    async def send(self, method: str, path: str, body: bytes) -> Reply:
        await asyncio.sleep(0)
        name = json.loads(body)["model_name"] if body else path.rpartition("/")[2]
        self.asked.append(f"{method} {path}")
        if method == "POST":
            if name == self.broken:
                return Reply(500, {}, b"broken")
            if name in self.loaded:
                return Reply(409, {}, b"")
            if len(self.loaded) >= self.room:
                return Reply(507, {}, b"full")
            assert json.loads(body)["url"] == f"/opt/ml/models/{name}/model"
            self.loaded.append(name)
            return Reply(200, {}, b"")
        if name not in self.loaded:
            return Reply(404, {}, b"")
        if method == "DELETE":
            self.loaded.remove(name)
        return Reply(200, {}, b"")

    async def fetch(self, target: str) -> None:
        await asyncio.sleep(0)
        if target == "absent":
            raise LookupError(target)
        self.fetched.append(target)


def run(room: int, act: Callable[[Container, Models], Awaitable[None]]) -> Container:
    async def work() -> Container:
        container = Container(room)
        await act(container, Models("/opt/ml/models", container.send, container.fetch))
        return container

    return asyncio.run(work())


async def invoke(container: Container, models: Models, target: str, turns: int = 3) -> None:
    async with models.using(target) as name:
        assert name == name_of(target)
        for _ in range(turns):
            assert name in container.loaded
            await asyncio.sleep(0)


@pytest.mark.parametrize("room", [1, 2, 3])
@pytest.mark.parametrize("turns", [0, 1, 4])
def test_whoever_asks_for_what_finds_it_loaded(room: int, turns: int) -> None:
    async def act(container: Container, models: Models) -> None:
        for _ in range(3):
            await asyncio.gather(*(invoke(container, models, "abc"[number % 3], turns) for number in range(24)))

    assert len(run(room, act).loaded) <= room


def test_a_model_is_brought_and_loaded_once_however_many_ask_at_once() -> None:
    async def act(container: Container, models: Models) -> None:
        await asyncio.gather(*(invoke(container, models, "a") for _ in range(8)))

    container = run(3, act)
    assert (container.fetched, container.asked) == (["a"], ["POST /models"])


def test_the_one_that_nobody_has_used_for_longest_makes_room() -> None:
    async def act(container: Container, models: Models) -> None:
        for target in ("a", "b", "a", "c"):
            await invoke(container, models, target)

    assert run(2, act).loaded == [name_of("a"), name_of("c")]


def test_where_not_one_model_fits_that_is_said_at_once() -> None:
    async def act(container: Container, models: Models) -> None:
        found = await asyncio.gather(*(invoke(container, models, target) for target in "ab"), return_exceptions=True)
        assert [type(one) for one in found] == [NotLoaded, NotLoaded]
        assert [one.reply.body for one in found if isinstance(one, NotLoaded)] == [b"full"] * 2

    run(0, act)


def test_what_could_not_be_loaded_is_tried_again_by_the_next_one() -> None:
    async def act(container: Container, models: Models) -> None:
        container.broken = name_of("a")
        found = await asyncio.gather(*(invoke(container, models, "a") for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in found] == [NotLoaded] * 3
        container.broken = ""
        await invoke(container, models, "a")
        with pytest.raises(LookupError):
            await invoke(container, models, "absent")

    assert run(1, act).fetched == ["a", "a"]


def test_room_that_one_made_and_could_not_use_is_the_next_ones() -> None:
    async def act(container: Container, models: Models) -> None:
        await invoke(container, models, "a")
        container.broken = name_of("b")
        found = await asyncio.gather(
            invoke(container, models, "b"), *(invoke(container, models, "c") for _ in range(2)), return_exceptions=True
        )
        assert [type(one) for one in found] == [NotLoaded, type(None), type(None)]

    run(1, act)


def test_one_who_goes_away_takes_nothing_from_the_others() -> None:
    async def act(container: Container, models: Models) -> None:
        first, second = (asyncio.ensure_future(invoke(container, models, "a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert container.asked == ["POST /models"]

    run(1, act)


def test_a_model_that_takes_long_is_not_ready_and_then_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_model, "_READY_SECONDS", 0.0)

    async def act(container: Container, models: Models) -> None:
        with pytest.raises(multi_model.NotReady):
            await invoke(container, models, "a")
        for _ in range(9):
            await asyncio.sleep(0)
        monkeypatch.setattr(multi_model, "_READY_SECONDS", 5.0)
        await invoke(container, models, "a")
        assert container.asked == ["POST /models"]

    run(1, act)


def test_a_model_that_the_container_has_lost_is_forgotten() -> None:
    async def act(container: Container, models: Models) -> None:
        await invoke(container, models, "a")
        assert not await models.forget("a")
        container.loaded.clear()
        assert await models.forget("a")
        await invoke(container, models, "a")

    run(1, act)
