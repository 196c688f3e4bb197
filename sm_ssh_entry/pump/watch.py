"""Watch: whether a connection still lives, judged from times alone.

Silence of the network is noticed by pings. A peer can be silent while the service still answers pings: then receipts
are missing. And after a suspend nobody should wait for a timeout that the network has long passed: a machine that
slept asks at once, and for a short answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: What two clocks may differ by, and a look be late by, before the machine counts as having slept; seconds.
SLEPT_SECONDS = 5.0


@dataclass(frozen=True)
class Pace:
    """How often to look, and how long to wait; seconds.

    A dead network is found within ``ping_interval + ping_timeout + look_every``, a silent peer within ``stall_after +
    look_every`` of the first byte that it owes a receipt for; both within 30 s, and long before ``ssh`` gives up.
    The service wants a sign of life more often than once a minute.

    Attributes:
        ping_interval: silence before a ping.
        ping_timeout: how long its answer may take.
        look_every: between two looks.
        stall_after: how long a receipt may take, while the connection stands.
        wake_timeout: how long the answer to the first ping after a sleep may take.
    """

    ping_interval: float = 10.0
    ping_timeout: float = 15.0
    look_every: float = 2.0
    stall_after: float = 12.0
    wake_timeout: float = 2.0


class Verdict(Enum):
    """What a look has shown."""

    LIVES = "lives"
    #: Nothing was heard for a while: send a ping.
    ASK = "ask"
    #: No answer: the connection is gone, whatever TCP says.
    DEAD = "dead"
    #: The connection stands and the peer's receipts do not come. Said once for each such silence.
    STALLED = "stalled"


class Watch:
    """Looks after the connections of one session, one after the other.

    Args:
        pace: how often, how long.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._heard = self._looked = self._offset = 0.0
        self._asked: float | None = None
        self._patience = pace.ping_timeout
        #: Receipts so far when a stall was last told.
        self._told = -1

    def begin(self, now: float, wall: float) -> None:
        """A connection has been opened.

        Args:
            now: monotonic seconds.
            wall: seconds of the wall clock.
        """
        self._heard = self._looked = now
        self._offset = wall - now
        self._asked = None

    def heard(self, now: float) -> None:
        """A frame or a pong has come."""
        self._heard, self._asked = now, None

    def look(self, now: float, wall: float, *, reading: bool, stalled_since: float | None, receipts: int) -> Verdict:
        """Judge.

        Args:
            now: monotonic seconds.
            wall: seconds of the wall clock.
            reading: whether the connection is being read; who does not read hears no pong.
            stalled_since: since when a receipt is owed; None: none is.
            receipts: how many have come so far.
        """
        late, drift = now - self._looked - self.pace.look_every, abs(wall - now - self._offset)
        self._looked, self._offset = now, wall - now
        if max(late, drift) > SLEPT_SECONDS:
            return self._ask(now, self.pace.wake_timeout)
        if not reading:
            self.heard(now)
            return Verdict.LIVES
        if self._asked is not None:
            return Verdict.DEAD if now - self._asked >= self._patience else Verdict.LIVES
        if stalled_since is not None and now - stalled_since >= self.pace.stall_after and receipts != self._told:
            self._told = receipts
            return Verdict.STALLED
        if now - self._heard >= self.pace.ping_interval:
            return self._ask(now, self.pace.ping_timeout)
        return Verdict.LIVES

    def _ask(self, now: float, patience: float) -> Verdict:
        self._asked, self._patience = now, patience
        return Verdict.ASK
