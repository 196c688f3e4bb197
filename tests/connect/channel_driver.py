"""The laptop's side of one session as a process, for tests: ``session.run`` on real standard input and output.

    python -m tests.connect.channel_driver URL FOLDER [SECONDS]

URL is where StartSession's answer points to; each API call is noted in FOLDER; SECONDS replaces both deadlines. Files
in FOLDER say how the API answers: ``timed-out``, ``expired`` (ExpiredTokenException), ``hung`` (not at all).
IMPATIENT=1 doubts a silent connection sooner, REDIAL_SECONDS replaces that patience.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sm_ssh_entry.cli.main import report
from sm_ssh_entry.connect import channel, opening, session
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.pump import Pace


class Ssm:
    """An SSM client whose sessions all lead to one URL."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder

    def start_session(self, **request: Any) -> dict[str, str]:
        self._note("start", str(request["Parameters"]["portNumber"]))
        return self._ticket("started")

    def resume_session(self, **request: Any) -> dict[str, str]:
        self._note("resume", request["SessionId"])
        if (self._folder / "expired").exists():
            raise ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "ResumeSession")
        if (self._folder / "timed-out").exists():
            return {"SessionId": request["SessionId"]}
        return self._ticket("resumed")

    def terminate_session(self, **request: Any) -> dict[str, str]:
        self._note("terminate", request["SessionId"])
        return request

    def _ticket(self, token: str) -> dict[str, str]:
        return {"SessionId": "s-1", "TokenValue": token, "StreamUrl": self._url}

    def _note(self, what: str, more: str) -> None:
        with (self._folder / "calls").open("a") as file:
            file.write(f"{what} {more}\n")
        if (self._folder / "hung").exists():
            threading.Event().wait()


def main() -> int:
    """Run one session."""
    url, folder, *seconds = sys.argv[1:]
    if seconds:
        session.FIRST_OUTPUT_SECONDS = channel.START_SECONDS = float(seconds[0])
    if os.environ.get("IMPATIENT"):
        channel.PACE = Pace(ping_interval=0.2, ping_timeout=0.3, look_every=0.05, stall_after=0.5, wake_timeout=0.2)
    channel.REDIAL_SECONDS = float(os.environ.get("REDIAL_SECONDS", channel.REDIAL_SECONDS))
    try:
        size = opening.payload_bytes()
        ending = Ending()
        ending.watch_signals()
        ssm = Ssm(url, Path(folder))
        return session.run(opening.start(ssm, "mi-1", 2222), lambda: ssm, ending, size=size)
    except SmSshError as error:
        return report(error)


if __name__ == "__main__":
    sys.exit(main())
