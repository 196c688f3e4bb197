"""What the agent's own log says about it: is it online, does it hibernate, and when to start it again. Pure.

The official agent goes to sleep for 5 to 60 minutes when the service throttles or refuses its first call (protocol
page, section 4), and says so in its log. A restart makes it try at once.
"""

from __future__ import annotations

import re
from enum import Enum

# The agent's own words, 3.3; the stand-in agent's are alike.
_ONLINE = re.compile(
    rb"set up control channel successfully|control channel (is )?(open|ready|established)", re.IGNORECASE
)
_REFUSED = re.compile(
    rb"failed to (get|initialize|connect|open)[^\n]{0,60}control ?channel|no control channel: ", re.IGNORECASE
)
_HIBERNATES = re.compile(rb"agent is in hibernate mode|entering ssm agent hibernate", re.IGNORECASE)
_TAIL = 128
_STEPS = (0.0, 5.0, 10.0, 20.0, 40.0, 60.0)
# An agent that has run for so long without a word about its channel counts as online, whatever words its release uses.
SILENT_SUCCESS = 30.0


class News(Enum):
    """What changed."""

    ONLINE = "online"
    # It has reached SSM, which shows the node as Online, and not the service that carries sessions: nobody can log in.
    UNREACHED = "unreached"
    RESTART = "restart"


class AgentWatch:
    """Judges one agent by its log and its age.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self.online = False
        self.running = False
        self._started = now
        self._tail = b""
        self._restarts = 0
        self._restart_at: float | None = None
        self._refused = False

    def started(self, now: float) -> None:
        """Take note that the agent was started.

        Args:
            now: monotonic seconds.
        """
        self.running = True
        self.online = False
        self._started = now
        self._tail = b""
        self._restart_at = None
        self._refused = False

    def stopped(self) -> None:
        """Take note that the agent ended."""
        self.running = False
        self.online = False

    def heard(self, data: bytes, now: float) -> News | None:
        """Read a piece of the agent's log, cut anywhere.

        Args:
            data: the next bytes.
            now: monotonic seconds.
        """
        text = self._tail + data
        self._tail = text[-_TAIL:]
        if _HIBERNATES.search(text):
            self._tail = b""
            self.slept(now)
            return None
        if not self.online and _ONLINE.search(text):
            self._tail = b""
            return self._is_online()
        if not self.online and not self._refused and _REFUSED.search(text):
            self._refused = True
            return News.UNREACHED
        return None

    def slept(self, now: float) -> None:
        """Take note that the agent hibernates; a restart is due, at once the first time, then less and less often.

        Args:
            now: monotonic seconds.
        """
        if self._restart_at is None:
            self.online = False
            self._restart_at = now + _STEPS[min(self._restarts, len(_STEPS) - 1)]
            self._restarts += 1

    def tick(self, now: float) -> News | None:
        """Say what is due.

        Args:
            now: monotonic seconds.
        """
        if not self.running:
            return None
        if self._restart_at is not None:
            if now < self._restart_at:
                return None
            self._restart_at = None
            return News.RESTART
        if not self.online and not self._refused and now - self._started >= SILENT_SUCCESS:
            return self._is_online()
        return None

    def _is_online(self) -> News:
        self.online = True
        self._restarts = 0
        return News.ONLINE
