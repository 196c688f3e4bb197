"""A container that serves, as batch transform uses it: /ping, /execution-parameters, /invocations."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_ssh_entry.plane import serving

_PING_PAUSE = 0.25
_PARAMETER_SECONDS = 10.0
_RETRY_PAUSE = 0.5
_OK, _REFUSED, _FAILED = 200, 400, 500
# An answer of execution parameters is a few words.
_PARAMETER_BYTES = 65536


class Refused(Exception):
    """The container did not take a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Unanswered(Exception):
    """The container did not answer, however often it was asked; the text says why."""


class Interrupted(Exception):
    """The job is over."""


@dataclass(frozen=True)
class Client:
    """What talks to one container.

    Args:
        where: ``HOST:PORT``.
        over: set when the job is over.
        headers: of each invocation.
        seconds: how long one may take.
        retries: how often one is tried again.
    """

    where: str
    over: threading.Event
    headers: Mapping[str, str]
    seconds: float = 600.0
    retries: int = 3

    def wait(self, seconds: float) -> None:
        """Wait until the container is ready.

        Args:
            seconds: for how long.

        Raises:
            Unanswered: it was not.
            Interrupted: the job is over.
        """
        deadline = time.monotonic() + seconds
        while serving.ping(self.where) != _OK:
            if time.monotonic() > deadline:
                raise Unanswered(f"/ping has not answered 200 for {seconds:g} s")
            self._pause(_PING_PAUSE)

    def parameters(self) -> dict[str, Any]:
        """Return what the container says of itself; empty: nothing, as most do."""
        try:
            status, body = self._ask("GET", "/execution-parameters", None, _PARAMETER_SECONDS)
            found = json.loads(body[:_PARAMETER_BYTES]) if status == _OK else {}
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def invoke(self, payload: bytes | Path) -> bytes:
        """Return the container's answer.

        Args:
            payload: the body; a file is streamed.

        Raises:
            Refused: it says that the request is wrong.
            Unanswered: it failed or did not answer, again and again.
            Interrupted: the job is over.
        """
        problem = ""
        for attempt in range(self.retries + 1):
            if attempt:
                self._pause(_RETRY_PAUSE * 2 ** (attempt - 1))
            try:
                status, body = self._ask("POST", "/invocations", payload, self.seconds)
            except TimeoutError:
                problem = f"no answer within {self.seconds:g} s"
            except (OSError, http.client.HTTPException) as error:
                problem = f"no answer: {error or type(error).__name__}"
            else:
                if status < _REFUSED:
                    return body
                if status < _FAILED:
                    raise Refused(status, body[:_PARAMETER_BYTES].decode(errors="replace"))
                problem = f"{status}: {body[:_PARAMETER_BYTES].decode(errors='replace')}"
            if self.over.is_set():
                raise Interrupted
        raise Unanswered(problem)

    def _ask(self, method: str, path: str, body: bytes | Path | None, seconds: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.where, timeout=seconds)
        headers = dict(self.headers) if body is not None else {}
        try:
            if isinstance(body, Path):
                with body.open("rb") as file:
                    # Without a length it goes in chunks, as the service sends what MaxPayloadInMB=0 lets pass.
                    connection.request(
                        method, path, file, headers | {"Transfer-Encoding": "chunked"}, encode_chunked=True
                    )
            else:
                connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _pause(self, seconds: float) -> None:
        if self.over.wait(seconds):
            raise Interrupted
