"""An endpoint's container as SageMaker sees it: in service once ``GET /ping`` answers 200 (contract page, 1.4)."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable

# SageMaker gives up after eight minutes of pings, each of which may take two seconds.
START_SECONDS = 480.0
_PING_SECONDS = 2.0
_PAUSE = 0.25
_OK = 200


class Pings:
    """Asks an endpoint until it answers, and says so once.

    Args:
        where: ``HOST:PORT``.
        say: takes one line for the user.
        start_seconds: after how long SageMaker would give up.
    """

    def __init__(self, where: str, say: Callable[[str], None], *, start_seconds: float = START_SECONDS) -> None:
        self._where = where
        self._say = say
        self._start_seconds = start_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="pings", daemon=True)

    def __enter__(self) -> Pings:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=2 * _PING_SECONDS)

    def _ask(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        while not self._over.wait(_PAUSE):
            if ping(self._where) == _OK:
                self._say(f"in service: GET http://{self._where}/ping answers 200; POST to /invocations there")
                return
            if time.monotonic() > deadline:
                self._say(f"/ping has not answered 200 for {self._start_seconds:g} s: SageMaker would give it up now")
                return


def ping(where: str) -> int:
    """Return the status of ``GET /ping``; 0: no answer.

    Args:
        where: ``HOST:PORT``.
    """
    connection = http.client.HTTPConnection(where, timeout=_PING_SECONDS)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
