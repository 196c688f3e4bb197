"""The plane's own HTTP routes, on loopback: status for everybody there, what a user or a test turns for its owner."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane import cloudwatch, endpoint_records, job_records, native, seed
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.front import guarded
from sm_ssh_entry.plane.in_service import end_sessions
from sm_ssh_entry.plane.listeners import Listeners
from sm_ssh_entry.plane.signature import same
from sm_ssh_entry.plane.store import Store

PREFIX = "/_sm-ssh"
# moto's own of this sort: its state, and a reset.
_MOTO_PREFIX = "/moto-api"
_FAULT_FIELDS: dict[str, tuple[type, ...]] = {
    "operation": (str,),
    "code": (str,),
    "message": (str,),
    "status": (int,),
    "times": (int, type(None)),
    "delay": (int, float),
}
_JOB_FIELDS: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "name": (str,),
    "region": (str,),
    "nodes": (int,),
    "job_status": (str,),
    "failure": (str,),
    "request": (dict,),
    "native": (bool,),
    "secondary": (str,),
    "message": (str,),
    "members": (dict,),
}
_TELL_FIELDS: dict[str, tuple[type, ...]] = {"kind": (str,), "name": (str,), "region": (str,), "word": (str,)}
_SERVING_FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "region": (str,),
    "endpoint_status": (str,),
    "failure": (str,),
    "config": (str,),
    "variants": (list,),
    "instances": (list,),
    "gone": (list,),
}
_FETCHED_FIELDS: dict[str, tuple[type, ...]] = {"name": (str,), "region": (str,), "ticket": (str,), "error": (str,)}
# Lists whose items are no words.
_ITEMS: dict[str, type] = {"events": list, "variants": dict, "instances": dict}
_LOG_FIELDS: dict[str, tuple[type, ...]] = {"region": (str,), "group": (str,), "stream": (str,), "events": (list,)}
_NATIVE_FIELDS: dict[str, tuple[type, ...]] = {"target": (str,), "region": (str,), "port": (int,)}
_SEED_FIELDS: dict[str, tuple[type, ...]] = {
    "nodes": (int,),
    "region": (str,),
    "kind": (str,),
    "name": (str,),
    "owner": (str,),
    "age": (int, float),
    "online": (bool,),
    "tagged": (bool,),
}
_MAX_PORT = 65535
_LISTENER_FIELDS: dict[str, tuple[type, ...]] = {"address": (str,)}
_CREDENTIAL_FIELDS: dict[str, tuple[type, ...]] = {
    "expires_in": (int, float, type(None)),
    "deny": (list,),
    "user_arn": (str,),
    "user_id": (str,),
}


class Admin:
    """The routes below ``/_sm-ssh``.

    Whoever may change things could issue credentials and open a shell as the plane's owner, and other users of the
    machine reach loopback too: so everything but the status needs ``Authorization: Bearer`` and the plane's token,
    which stands in the state file (mode 0600).

    Args:
        store: the state.
        about: what status says beside the counts.
        reset: resets the plane.
        listeners: gives the listeners on networks of containers.
    """

    def __init__(
        self,
        store: Store,
        about: Callable[[], dict[str, Any]],
        reset: Callable[[], Awaitable[None]],
        listeners: Callable[[], Listeners],
    ) -> None:
        self._store = store
        self._about = about
        self._reset = reset
        self._listeners = listeners
        self.token = secrets.token_urlsafe(24)

    def add_routes(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get(f"{PREFIX}/status", self._status)
        routes = {
            "reset": self._do_reset,
            "faults": self._faults,
            "credentials": self._credentials,
            "jobs": self._jobs,
            "tell": self._tell,
            "serving": self._serving,
            "fetched": self._fetched,
            "native": self._native,
            "logs": self._logs,
            "seed": self._seed,
            "listen": self._listen,
            "unlisten": self._unlisten,
        }
        for name, serve in routes.items():
            app.router.add_post(f"{PREFIX}/{name}", self._owned(name, serve))

    def refuse(self, app: web.Application) -> None:
        """Have an application answer that there are no such routes: what a container sees."""

        async def refuse() -> web.StreamResponse:
            raise AwsError("AccessDeniedException", "The plane's own routes are served on loopback only.", 403)

        async def handler(http: web.Request) -> web.StreamResponse:
            return await guarded(http, refuse, "json", "an own route")

        for prefix in (PREFIX, _MOTO_PREFIX):
            app.router.add_route("*", prefix + "{rest:.*}", handler)

    def status(self) -> dict[str, Any]:
        """Return what the plane holds, in numbers."""
        store, now = self._store, self._store.clock()
        nodes = [node for node in store.nodes if not node.target]
        online = sum(node.online(now, store.settings) for node in nodes)
        return self._about() | {
            "activations": len(store.activations),
            "nodes": {"Online": online, "ConnectionLost": len(nodes) - online},
            "sessions": sum(not session.over for session in store.sessions.values()),
            "commands": len(store.commands),
            "faults": store.faults.listing(),
        }

    def _owned(self, name: str, serve: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> Any:
        async def answer(http: web.Request) -> web.StreamResponse:
            given = http.headers.get("Authorization", "")
            if not same(given, f"Bearer {self.token}"):
                raise AwsError("AccessDeniedException", "This route needs the plane's own token.", 403)
            return web.json_response(await serve(_object(await http.read())))

        async def handler(http: web.Request) -> web.StreamResponse:
            return await guarded(http, lambda: answer(http), "json", name)

        return handler

    async def _status(self, http: web.Request) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            return web.json_response(self.status())

        return await guarded(http, answer, "json", "status")

    async def _do_reset(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - a handler's signature
        await self._reset()
        return {}

    async def _faults(self, params: dict[str, Any]) -> dict[str, Any]:
        if not params:
            self._store.faults.reset()
        else:
            _check(params, _FAULT_FIELDS, required=("operation",))
            self._store.faults.add(**params)
        return {"faults": self._store.faults.listing()}

    async def _credentials(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _CREDENTIAL_FIELDS)
        credential = self._store.credentials.issue(**params)
        return {"environment": credential.environment(), "caller": dataclasses.asdict(credential.caller)}

    async def _jobs(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _JOB_FIELDS, required=("name", "region"))
        # In a thread: the first one imports moto.
        return dict(await asyncio.to_thread(job_records.note, self._store, params))

    async def _tell(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _TELL_FIELDS, required=tuple(_TELL_FIELDS))
        desk = self._store.desk
        return {"told": desk is not None and await desk.tell(**params)}

    async def _serving(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _SERVING_FIELDS, required=tuple(_SERVING_FIELDS))
        region, name = params["region"], params["name"]
        endpoint = self._store.endpoints.get((region, name))
        if endpoint is None:
            return {"busy": []}
        end_sessions(self._store, region, params["gone"])
        busy = endpoint.take(params["variants"], params["instances"])
        await asyncio.to_thread(endpoint_records.note, self._store, region, name, params)
        if params["endpoint_status"] == "InService":
            endpoint.open()
        return {"busy": busy}

    async def _fetched(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _FETCHED_FIELDS, required=tuple(_FETCHED_FIELDS))
        endpoint = self._store.endpoints.get((params["region"], params["name"]))
        waiting = endpoint.fetches.get(params["ticket"]) if endpoint else None
        if waiting is not None and not waiting.done():
            waiting.set_result(params["error"])
        return {}

    async def _native(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _NATIVE_FIELDS, required=("target", "region"))
        if not 0 < params.get("port", 1) <= _MAX_PORT:
            raise AwsError("ValidationException", f"A port is 1 to {_MAX_PORT}.")
        made = native.activate(self._store, **params)
        return {"activation_id": made.activation_id, "activation_code": made.code}

    async def _logs(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _LOG_FIELDS, required=("region", "group", "stream", "events"))
        events = params.pop("events")
        if not all(len(one) == 2 and isinstance(one[0], int) and isinstance(one[1], str) for one in events):
            raise AwsError("ValidationException", "An event is a time in milliseconds and a text.")
        await asyncio.to_thread(cloudwatch.put, self._store, **params, events=events)
        return {}

    async def _seed(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _SEED_FIELDS, required=("nodes", "region"))
        seed.plant(self._store, seed.Seed(**params))
        return {"nodes": len(self._store.nodes)}

    async def _listen(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _LISTENER_FIELDS, required=("address",))
        try:
            url, tls_url = await self._listeners().open(params["address"])
        except BadInput as error:
            raise AwsError("ValidationException", error.message) from error
        return {"url": url, "tls_url": tls_url}

    async def _unlisten(self, params: dict[str, Any]) -> dict[str, Any]:
        _check(params, _LISTENER_FIELDS, required=("address",))
        return {"closed": await self._listeners().close(params["address"])}


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise AwsError("SerializationException", "The request body is not valid JSON.") from error
    if not isinstance(found, dict):
        raise AwsError("SerializationException", "The request body is not a JSON object.")
    return found


def _check(params: dict[str, Any], fields: dict[str, tuple[type, ...]], required: tuple[str, ...] = ()) -> None:
    for name, value in params.items():
        types = fields.get(name)
        if types is None:
            raise AwsError("ValidationException", f"There is no field '{name}', only {', '.join(fields)}.")
        item_type = _ITEMS.get(name, str)
        wrong_item = isinstance(value, list) and not all(isinstance(item, item_type) for item in value)
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types) or wrong_item:
            raise AwsError("ValidationException", f"The field '{name}' has the wrong type.")
    missing = [name for name in required if name not in params]
    if missing:
        raise AwsError("ValidationException", f"The field '{missing[0]}' is required.")
    if not 400 <= params.get("status", 400) <= 599:
        raise AwsError("ValidationException", "status is an HTTP error status, 400 to 599.")
