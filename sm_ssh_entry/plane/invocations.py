"""InvokeEndpoint: from the caller to a container that serves, and its answer back.

The API of SageMaker's runtime is REST, signed for the service ``sagemaker``: ``POST /endpoints/NAME/invocations``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from aiohttp import web

from sm_ssh_entry.plane import event_stream, model_server
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.execution.order import FETCH
from sm_ssh_entry.plane.front import Front, guarded, require_allowed, service_of
from sm_ssh_entry.plane.in_service import KIND, Container, Endpoint, Instance
from sm_ssh_entry.plane.model_server import BINARY, ModelServer, Reply, Unreachable, Whose
from sm_ssh_entry.plane.multi_model import GONE, Models, NotLoaded, NotReady
from sm_ssh_entry.plane.store import Store

# The service's own limits: 6 MiB of a request, a minute for its answer.
MAX_BODY = 6 << 20
_WHOLE = aiohttp.ClientTimeout(total=60.0)
_STREAMED = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0)
# A large model may take longer than the one who asked for it first waits.
_LOAD_SECONDS = 600.0
_PREFIX = "X-Amzn-SageMaker-"
_ATTRIBUTES = f"{_PREFIX}Custom-Attributes"
# What a container sees of a request beside its body, and the caller of an answer.
_TO_CONTAINER = (
    "Content-Type",
    "Accept",
    _ATTRIBUTES,
    f"{_PREFIX}Target-Model",
    f"{_PREFIX}Inference-Id",
    f"{_PREFIX}Session-Id",
)
_TO_CALLER = (_ATTRIBUTES, f"{_PREFIX}New-Session-Id", f"{_PREFIX}Closed-Session-Id")


@dataclass(frozen=True)
class _Call:
    """One invocation: of which endpoint, with which headers and body, and how long its answer may take."""

    name: str
    region: str
    endpoint: Endpoint
    headers: Mapping[str, str]
    body: bytes
    timeout: aiohttp.ClientTimeout

    def wanted(self, what: str) -> str:
        """Return one of the runtime's own headers; ``""``: it is not there."""
        return self.headers.get(f"{_PREFIX}{what}", "")


class Invocations:
    """Serves the runtime's routes.

    Args:
        store: the plane's state.
        front: says who signed.
    """

    def __init__(self, store: Store, front: Front) -> None:
        self._store, self._front = store, front
        self._client: aiohttp.ClientSession | None = None

    def add_routes(self, app: web.Application) -> None:
        """Add the routes to an application, before the one that takes everything."""
        served = {
            "invocations": self._whole,
            "invocations-response-stream": self._streamed,
            "async-invocations": self._queued,
        }
        for word, serve in served.items():
            app.router.add_post(f"/endpoints/{{name}}/{word}", self._guarded(serve))

    async def close(self, _app: web.Application) -> None:
        """Close the connections to containers, when an application ends."""
        if self._client is not None:
            await self._client.close()

    def _guarded(self, serve: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        async def handle(http: web.Request) -> web.StreamResponse:
            desk = self._store.desk
            if service_of(http) == "s3" or desk is None or not desk.runs:
                # A bucket may be called that; and where endpoints are records, moto makes up what they answer.
                return await self._front.handle(http)
            return await guarded(http, lambda: serve(http), "json", "InvokeEndpoint")

        return handle

    async def _whole(self, http: web.Request) -> web.StreamResponse:
        call = await self._admitted(http, "InvokeEndpoint", _WHOLE)
        async with self._answered(call) as (instance, server, answer):
            body = await server.read(answer)
            headers = _headers(instance, answer)
        headers["Content-Type"] = answer.headers.get("Content-Type", BINARY)
        return web.Response(body=body, headers=headers)

    async def _streamed(self, http: web.Request) -> web.StreamResponse:
        call = await self._admitted(http, "InvokeEndpointWithResponseStream", _STREAMED)
        async with self._answered(call) as (instance, _, answer):
            response = web.StreamResponse(headers=_headers(instance, answer))
            response.headers[f"{_PREFIX}Content-Type"] = answer.headers.get("Content-Type", BINARY)
            response.content_type = event_stream.CONTENT_TYPE
            await response.prepare(http)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(event_stream.part(chunk))
            except (aiohttp.ClientError, asyncio.TimeoutError):
                await response.write(event_stream.failure("ModelStreamError", "The container ended its answer early."))
            await response.write_eof()
        return response

    async def _queued(self, http: web.Request) -> web.StreamResponse:
        call = await self._admitted(http, "InvokeEndpointAsync", _WHOLE)
        raise _invalid(f"Endpoint {call.name} cannot be invoked asynchronously: this plane has no queue for it.")

    async def _admitted(self, http: web.Request, operation: str, timeout: aiohttp.ClientTimeout) -> _Call:
        """Check who calls, and what; return the call.

        Raises:
            AwsError: ValidationError, and what the check of the signature raises.
        """
        body = b"" if (http.content_length or 0) > MAX_BODY else await http.read()
        if max(http.content_length or 0, len(body)) > MAX_BODY:
            raise _invalid(
                "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length "
                f"less than or equal to {MAX_BODY}"
            )
        credential, signed = await self._front.caller(http, body)
        require_allowed(self._store, credential, signed, f"sagemaker:{operation}")
        await self._store.faults.strike(operation)
        name = http.match_info["name"]
        endpoint = self._store.endpoints.get((signed.region, name))
        if endpoint is None or not endpoint.in_service:
            raise _invalid(f"Endpoint {name} of account {self._store.account} not found.")
        return _Call(name, signed.region, endpoint, http.headers, body, timeout)

    @contextlib.asynccontextmanager
    async def _answered(self, call: _Call) -> AsyncIterator[tuple[Instance, ModelServer, aiohttp.ClientResponse]]:
        """Give the container that took an invocation, and its answer, which is a good one."""
        variant = call.wanted("Target-Variant")
        if variant and variant not in call.endpoint.weights:
            raise _invalid(f"Variant {variant} of endpoint {call.name} not found.")
        tried: list[Instance] = []
        while True:
            instance = call.endpoint.pick(variant, tried=tried)
            if instance is None:
                raise AwsError(
                    "ServiceUnavailable",
                    "A transient exception occurred while retrieving variant instances. Please try again later.",
                    503,
                )
            async with contextlib.AsyncExitStack() as held:
                held.enter_context(instance.answering())
                try:
                    server, answer = await self._ask(held, call, instance)
                except Unreachable:
                    # It has just ended, and its runner has not told yet: nothing was sent.
                    tried.append(instance)
                    continue
                if not _good(answer.status):
                    raise server.refused(Reply(answer.status, answer.headers, await server.read(answer)))
                yield instance, server, answer
                return

    async def _ask(
        self, held: contextlib.AsyncExitStack, call: _Call, instance: Instance
    ) -> tuple[ModelServer, aiohttp.ClientResponse]:
        """Send an invocation to an instance; what it holds there is let go with ``held``."""
        headers = {name: call.headers[name] for name in _TO_CONTAINER if name in call.headers}
        if call.wanted("Accept"):
            headers["Accept"] = call.wanted("Accept")
        *before, container = _chosen(call, instance)
        body = call.body
        for one in before:
            server = self._server(call, instance, one)
            answer = await server.send(held, "/invocations", headers, body)
            if not _good(answer.status):
                return server, answer
            body = await server.read(answer)
            headers["Content-Type"] = answer.headers.get("Content-Type", BINARY)
        server = self._server(call, instance, container)
        target = call.wanted("Target-Model")
        if not target:
            return server, await server.send(held, "/invocations", headers, body)
        if container.models is None:
            container.models = self._models(call, instance, container)
        try:
            name = await held.enter_async_context(container.models.using(target))
            answer = await server.send(held, f"/models/{name}/invoke", headers, body)
            if answer.status == GONE and await container.models.forget(target):
                # The container had unloaded it by itself.
                name = await held.enter_async_context(container.models.using(target))
                answer = await server.send(held, f"/models/{name}/invoke", headers, body)
        except NotLoaded as error:
            raise server.refused(error.reply) from error
        except NotReady as error:
            said = "The model is still being downloaded or loaded. Wait and try your request again."
            raise AwsError("ModelNotReadyException", said, 429) from error
        return server, answer

    def _server(self, call: _Call, instance: Instance, container: Container) -> ModelServer:
        if self._client is None:
            self._client = model_server.connections()
        own = f"/{container.label}" if len(instance.containers) > 1 else ""
        whose = Whose(call.name, call.region, self._store.account, f"{instance.variant}/{instance.id}{own}")
        return ModelServer(self._client, container.where, container.label, whose, call.timeout)

    def _models(self, call: _Call, instance: Instance, container: Container) -> Models:
        async def fetch(target: str) -> None:
            """Have the endpoint's runner bring a model's artifact to the instance."""
            ticket, desk = secrets.token_hex(8), self._store.desk
            done = call.endpoint.fetches[ticket] = asyncio.get_running_loop().create_future()
            word = json.dumps({"ticket": ticket, "instance": instance.id, "target": target})
            try:
                if desk is None or not await desk.tell(KIND, call.name, call.region, f"{FETCH} {word}"):
                    raise Unreachable
                error = await asyncio.wait_for(done, _LOAD_SECONDS)
            except asyncio.TimeoutError as late:
                raise Unreachable from late
            finally:
                del call.endpoint.fetches[ticket]
            if error:
                raise _invalid(error)

        server = replace(self._server(call, instance, container), timeout=aiohttp.ClientTimeout(total=_LOAD_SECONDS))
        return Models(container.folder, server.ask, fetch)


def _chosen(call: _Call, instance: Instance) -> list[Container]:
    """Return the containers of an instance that an invocation goes through, one after the other.

    Raises:
        AwsError: ValidationError, where it names a model or a container and the endpoint has none, or the reverse.
    """
    there, host, target = instance.containers, call.wanted("Target-Container-Hostname"), call.wanted("Target-Model")
    if (instance.mode == "Direct") != bool(host):
        has = "needs" if instance.mode == "Direct" else "does not support"
        raise _invalid(f"Endpoint {call.name} {has} a target container hostname header.")
    if host:
        there = [one for one in there if one.label == host]
        if not there:
            raise _invalid(f"Endpoint {call.name} has no container {host}.")
    if target and not there[-1].folder:
        raise _invalid(f"Endpoint {call.name} is not a multi-model endpoint and does not support target model header.")
    if there[-1].folder and not target:
        raise _invalid(f"Request {uuid.uuid4()} is missing a target model header.")
    return there


def _good(status: int) -> bool:
    return 200 <= status < 300


def _headers(instance: Instance, answer: aiohttp.ClientResponse) -> dict[str, str]:
    found = {name: answer.headers[name] for name in _TO_CALLER if name in answer.headers}
    return found | {"x-Amzn-Invoked-Production-Variant": instance.variant, "x-amzn-RequestId": str(uuid.uuid4())}


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
