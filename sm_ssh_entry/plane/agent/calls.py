"""Blocking calls off the event loop, in threads that never hold up the end of the process.

asyncio's default executor is joined before ``asyncio.run`` returns: a service that does not answer would delay SIGTERM
by its whole timeout. These threads are left behind, and the worker ends with ``os._exit``.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# Fifty logins at once each need one short call; the rest is one heartbeat now and then.
THREADS = 8


class Caller:
    """Runs blocking functions in threads of its own."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="call")

    async def __call__(self, function: Callable[..., T], *arguments: object) -> T:
        """Return what the function returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, functools.partial(function, *arguments))

    def close(self) -> None:
        """Take no more calls and wait for none."""
        self._executor.shutdown(wait=False, cancel_futures=True)
