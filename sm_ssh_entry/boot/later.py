"""A value that is being made in the background while the next steps run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """Runs a function in a thread at once; its result, or what it raised, is there for whoever needs it.

    Args:
        function: what makes the value.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._made: list[T] = []
        self._raised: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._made.append(self._function())
        except BaseException as error:  # noqa: BLE001 # raised again where the value is asked for
            self._raised.append(error)

    def result(self) -> T:
        """Wait for the value and return it, or raise what its maker raised."""
        self._thread.join()
        if self._raised:
            raise self._raised[0]
        return self._made[0]
