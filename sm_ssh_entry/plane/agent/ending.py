"""How a session's handler ends, and how a session is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ending:
    """How a session ended.

    Args:
        status: ``Success`` or ``Failed``: FinalTaskStatus of ``agent_task_complete``.
        output: what the user is told, ``""`` for nothing.
        announced: whether the service is told that the session terminates, before the channel closes. Port sessions end
            without (protocol page, section 10.4).
        wanted: whether the client still waits for what was sent last.
    """

    status: str = "Success"
    output: str = ""
    announced: bool = True
    wanted: bool = True


class SessionRefused(Exception):
    """A session that cannot be served; the text is for the user."""
