"""How fast calls may follow one another: as fast as they like until AWS throttles them, then slower, then faster again.

Nobody publishes the limits of these calls, and they are shared with everybody else in the account. So the gap between
two calls doubles whenever one is refused and shrinks with each that is not.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sm_ssh_entry.errors import Throttled

T = TypeVar("T")

_FIRST_GAP = 0.1
_WIDEST_GAP = 5.0
_NO_GAP = 0.005
_SHRINK = 0.9
# Without a single call that went through for so long, it is not us who are too fast.
_PATIENCE = 300.0


class Pace:
    """The gap that all threads of one piece of work keep.

    Args:
        clock: monotonic seconds.
        pause: sleeps.
        random_: 0 to 1.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
        random_: Callable[[], float] = random.random,
    ) -> None:
        self.gap = 0.0
        self.throttled = 0
        self._clock, self._pause, self._random = clock, pause, random_
        self._next = clock()
        self._good = clock()
        self._lock = threading.Lock()

    def call(self, action: Callable[[], T]) -> T:
        """Do something at its turn, again and again while AWS throttles it.

        Args:
            action: one call to AWS.

        Raises:
            Throttled: no call at all went through for five minutes.
            SmSshError: whatever else the action raised.
        """
        while True:
            self._wait()
            try:
                result = action()
            except Throttled:
                if not self._slower():
                    raise
            else:
                self._faster()
                return result

    def _wait(self) -> None:
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self.gap
        if turn > now:
            self._pause(turn - now)

    def _slower(self) -> bool:
        with self._lock:
            now = self._clock()
            self.throttled += 1
            # Calls that were under way together count once: only a refusal after the last slowing down means more.
            if self._next <= now + self.gap or not self.gap:
                self.gap = min(max(self.gap * 2, _FIRST_GAP), _WIDEST_GAP)
                self._next = max(self._next, now + self.gap * (1 + self._random()))
            return now - self._good < _PATIENCE

    def _faster(self) -> None:
        with self._lock:
            self._good = self._clock()
            self.gap = 0.0 if self.gap < _NO_GAP else self.gap * _SHRINK
