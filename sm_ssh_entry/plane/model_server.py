"""One container that serves, asked over HTTP; what it answers wrongly becomes a ModelError, as the service words it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.store import partition_of

BINARY = "application/octet-stream"
# Servers close connections that rest for 2 s (gunicorn) or longer; one of ours never meets its end that way.
_KEEP_SECONDS = 1.0
# aiohttp's own ideas of what a request needs.
_ADDED = ("User-Agent", "Accept-Encoding", "Content-Type", "Accept")


class ModelError(AwsError):
    """What a container answered, or did not.

    Args:
        message: text for people.
        original: its status; 0: it did not answer.
        text: its answer.
        stream: ARN of its log.
    """

    def __init__(self, message: str, original: int, text: str, stream: str) -> None:
        super().__init__("ModelError", message, 424)
        self._members = {"OriginalStatusCode": original, "OriginalMessage": text, "LogStreamArn": stream}

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {**super().body(), **self._members}


class Unreachable(Exception):
    """Nobody listens there: nothing was sent."""


@dataclass(frozen=True)
class Reply:
    """A container's answer, all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Whose:
    """Whose container it is, for what an error says.

    Args:
        endpoint: name of its endpoint.
        region: its region.
        account: its account.
        stream: its log's stream.
    """

    endpoint: str
    region: str
    account: str
    stream: str


def connections() -> aiohttp.ClientSession:
    """Return what keeps the connections to containers."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_SECONDS)
    return aiohttp.ClientSession(connector=connector, auto_decompress=False)


@dataclass(frozen=True)
class ModelServer:
    """A container.

    Args:
        client: what ``connections`` gave.
        where: where it listens: ``HOST:PORT``.
        label: what messages call it.
        whose: whose it is.
        timeout: how long an answer may take.
    """

    client: aiohttp.ClientSession
    where: str
    label: str
    whose: Whose
    timeout: aiohttp.ClientTimeout

    async def send(
        self,
        held: contextlib.AsyncExitStack,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        method: str = "POST",
    ) -> aiohttp.ClientResponse:
        """Send a request and return the answer, whatever its status; its body is still to come.

        Args:
            held: closes the answer.
            path: path and query.
            headers: its headers.
            body: its body.
            method: its method.

        Raises:
            Unreachable: nobody listens there.
            ModelError: the answer did not come, or not in time.
        """
        asked = self.client.request(
            method,
            URL(f"http://{self.where}{path}", encoded=True),
            headers=headers,
            data=body or None,
            timeout=self.timeout,
            allow_redirects=False,
            skip_auto_headers=_ADDED,
        )
        try:
            return await held.enter_async_context(asked)
        except aiohttp.ClientConnectorError as error:
            raise Unreachable from error
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise self._broken(error) from error

    async def read(self, answer: aiohttp.ClientResponse) -> bytes:
        """Return the body of an answer.

        Args:
            answer: what ``send`` gave.

        Raises:
            ModelError: it did not come, or not in time.
        """
        try:
            return await answer.read()
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise self._broken(error) from error

    async def ask(self, method: str, path: str, body: bytes) -> Reply:
        """Send a request about models and return the whole answer.

        Args:
            method: its method.
            path: its path.
            body: JSON.

        Raises:
            Unreachable: nobody listens there.
            ModelError: the answer did not come, or not in time.
        """
        async with contextlib.AsyncExitStack() as held:
            answer = await self.send(held, path, {"Content-Type": "application/json"}, body, method=method)
            return Reply(answer.status, answer.headers, await self.read(answer))

    def refused(self, reply: Reply) -> ModelError:
        """Return the error that an answer with another status than 2xx is.

        Args:
            reply: the answer.
        """
        text = reply.body.decode(errors="replace")
        kind = "client" if 400 <= reply.status < 500 else "server"
        return self._error(f'{kind} error ({reply.status}) from {self.label} with message "{text}"', reply.status, text)

    def _broken(self, error: Exception) -> ModelError:
        if not isinstance(error, asyncio.TimeoutError):
            return self._error(
                f"server error (500) from {self.label} and could not load the entire response body", 500, ""
            )
        text = (
            f"Your invocation timed out while waiting for a response from container {self.label}. Review the latency "
            "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
        )
        return self._error(f'server error (0) from {self.label} with message "{text}"', 0, text)

    def _error(self, said: str, status: int, text: str) -> ModelError:
        region, account = self.whose.region, self.whose.account
        group = f"/aws/sagemaker/Endpoints/{self.whose.endpoint}"
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        logs = f"{console}#logEventViewer:group={group} in account {account}"
        stream = f"arn:{partition_of(region)}:logs:{region}:{account}:log-group:{group}:log-stream:{self.whose.stream}"
        return ModelError(f"Received {said}. See {logs} for more information.", status, text, stream)
