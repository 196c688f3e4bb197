"""The models of one multi-model container: loaded when they are first asked for, unloaded when there is no room.

Contract page, section 1.4: ``POST /models`` loads (409: it is loaded, 507: no memory is left), ``DELETE /models/NAME``
unloads, ``POST /models/NAME/invoke`` invokes. Nobody's invocation fails because another model comes or goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from sm_ssh_entry.plane.in_service import name_of
from sm_ssh_entry.plane.model_server import Reply

LOADED, NO_ROOM, GONE = 409, 507, 404
# A model that is asked for waits so long for one in use to become idle, where there is room for one of them only.
_ROOM_SECONDS = 60.0
# An invocation waits so long for its model; its loading goes on.
_READY_SECONDS = 60.0


class NotReady(Exception):
    """A model is still being brought or loaded."""


class NotLoaded(Exception):
    """A container could not load a model.

    Args:
        reply: what it said.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"status {reply.status}")
        self.reply = reply


@dataclass(eq=False)
class _Model:
    """One model.

    Attributes:
        loading: its loading, under way or done.
        users: how many invocations use it or wait for it.
        used: when it was used last, in no unit.
        wanting: whether it waits for room.
    """

    loading: asyncio.Task[None]
    users: int = 0
    used: int = 0
    wanting: bool = False


class Models:
    """Knows what one container has loaded. Lives in the plane's event loop.

    Args:
        folder: what the container calls its folder of models.
        send: sends it a request: method, path, body.
        fetch: brings a model's artifact into the folder.
    """

    def __init__(
        self,
        folder: str,
        send: Callable[[str, str, bytes], Awaitable[Reply]],
        fetch: Callable[[str], Awaitable[None]],
    ) -> None:
        self._folder, self._send, self._fetch = folder, send, fetch
        self._models: dict[str, _Model] = {}
        self._unloading: dict[str, asyncio.Task[None]] = {}
        self._unloaded = 0
        self._idle = asyncio.Condition()
        self._clock = itertools.count(1)

    @contextlib.asynccontextmanager
    async def using(self, target: str) -> AsyncIterator[str]:
        """Give the container's name for a model, which stays loaded during the block.

        Args:
            target: TargetModel.

        Raises:
            NotLoaded: the container could not load it.
            NotReady: it is still being loaded.
        """
        model = self._models.get(target)
        if model is None:
            model = self._models[target] = _Model(asyncio.ensure_future(self._load(target)))
            model.loading.add_done_callback(lambda task: self._loaded(target, task))
        model.users += 1
        try:
            # One caller who goes away, or has waited long enough, takes nothing from the others.
            done, _ = await asyncio.wait([model.loading], timeout=_READY_SECONDS)
            if not done:
                raise NotReady
            model.loading.result()
            model.used = next(self._clock)
            yield name_of(target)
        finally:
            model.users -= 1
            async with self._idle:
                self._idle.notify_all()

    async def forget(self, target: str) -> bool:
        """Forget a model that the container may have unloaded by itself; return whether it has.

        Args:
            target: TargetModel.
        """
        answer = await self._send("GET", f"/models/{name_of(target)}", b"")
        if answer.status != GONE:
            return False
        self._models.pop(target, None)
        return True

    def _loaded(self, target: str, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            # The next one who asks tries again.
            found = self._models.get(target)
            if found is not None and found.loading is task:
                del self._models[target]

    async def _load(self, target: str) -> None:
        leaving = self._unloading.get(target)
        if leaving is not None:
            await asyncio.wait([leaving])
        await self._fetch(target)
        name = name_of(target)
        body = json.dumps({"model_name": name, "url": f"{self._folder}/{name}/model"}).encode()
        while True:
            unloaded = self._unloaded
            answer = await self._send("POST", "/models", body)
            if answer.status < 300 or answer.status == LOADED:
                return
            # Another one who wanted room may have made some, and not have used it.
            made = answer.status == NO_ROOM and (await self._make_room(target) or unloaded != self._unloaded)
            if not made:
                raise NotLoaded(answer)

    async def _make_room(self, wanted: str) -> bool:
        """Unload the model that nobody has used for longest; False: there is no other."""
        loop, model = asyncio.get_running_loop(), self._models[wanted]
        deadline = loop.time() + _ROOM_SECONDS
        model.wanting = True
        try:
            async with self._idle:
                while not (idle := self._idle_ones()):
                    if not self._others():
                        return False
                    await asyncio.wait_for(self._idle.wait(), deadline - loop.time())
                oldest = min(idle, key=lambda name: self._models[name].used)
                del self._models[oldest]
                task = self._unloading[oldest] = asyncio.ensure_future(self._unload(oldest))
        except asyncio.TimeoutError:
            return False
        finally:
            model.wanting = False
        await asyncio.shield(task)
        return True

    def _others(self) -> list[str]:
        """Return the models that have room or are about to get it."""
        return [name for name, one in self._models.items() if not one.wanting]

    def _idle_ones(self) -> list[str]:
        return [name for name in self._others() if self._models[name].loading.done() and not self._models[name].users]

    async def _unload(self, target: str) -> None:
        try:
            await self._send("DELETE", f"/models/{name_of(target)}", b"")
        finally:
            del self._unloading[target]
            self._unloaded += 1
