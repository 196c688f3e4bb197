"""Closes the logins that are open, before our end as process 1 is the abrupt end of all processes.

Nobody would tell the far ends, and their terminals would hang until keep-alives fail, two minutes later.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from sm_ssh_entry.boot import sessions, status
from sm_ssh_entry.contract import Paths

# Logins that are about to end, as the one that ran sm-wait stop, may do so by themselves; then we close the others, and
# the agent has a moment to tell their far ends.
_END_ALONE = 0.5
_END_CLOSED = 1.5
# The one that ended the job by a rerun has a status to bring home.
FINISHING = 4.0
_AGENT_TELLS = 0.3


def close_logins(paths: Paths, wait: Callable[[float], None], alone: float = _END_ALONE) -> None:
    """Close them, if there are any.

    Args:
        paths: where the container keeps its files.
        wait: waits for so many seconds, or less.
        alone: seconds for them to end by themselves.
    """
    found = status.read(paths)
    port, services = int(found.get("port") or 0), int(found.get("services") or 0)
    began = time.monotonic()
    seen = False
    while (passed := time.monotonic() - began) < alone + _END_CLOSED:
        open_ = sessions.logins(port, services)
        if not open_:
            break
        seen = True
        for pid in open_ if passed >= alone else ():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)
        wait(0.05)
    end = time.monotonic() + _AGENT_TELLS
    while seen and (left := end - time.monotonic()) > 0:
        wait(left)
