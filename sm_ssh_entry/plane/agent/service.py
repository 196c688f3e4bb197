"""The HTTP calls of the agent: SSM's JSON API and the gateway's two REST calls.

Over the standard library's HTTP client: making a botocore client costs a tenth of the second that the agent has to come
online, and half of these operations are in no public model. Calls block; the worker runs them in a thread.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from sm_ssh_entry.plane.agent import signing
from sm_ssh_entry.plane.agent.identity import Identity
from sm_ssh_entry.plane.agent.settings import Settings
from sm_ssh_entry.plane.agent.signing import RoleCredentials

# Protocol page, sections 2.2 and 6.1.
API_TIMEOUT = 60.0
GATEWAY_TIMEOUT = 15.0
MAX_ANSWER = 1 << 20
THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "TooManyUpdates", "TooManyRequestsException", "RequestLimitExceeded"}
)


class CallError(Exception):
    """A call that did not succeed.

    Args:
        operation: what was called.
        code: the service's error code; ``""``: no such answer came (refused, timed out, not the service at all).
        message: what it said, or what went wrong.
    """

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation}: {code + ': ' if code else ''}{message}")
        self.operation = operation
        self.code = code
        self.message = message

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed a moment later: no answer, a server's fault, or throttling."""
        return not self.code or self.code in THROTTLED


def register(endpoints: Settings, body: Mapping[str, Any]) -> dict[str, Any]:
    """RegisterManagedInstance: anonymous, the activation is the credential. Returns the answer.

    Raises:
        CallError: no answer, or an error of the service.
    """
    operation = "RegisterManagedInstance"
    payload = json.dumps(body).encode("utf-8")
    return _api(endpoints.ssm_url, operation, _api_headers(operation), payload)


class Service:
    """The service as one node sees it.

    Args:
        endpoints: where it is.
        identity: the node.
    """

    def __init__(self, endpoints: Settings, identity: Identity) -> None:
        self._endpoints = endpoints
        self._identity = identity

    def call_as_node(self, identity: Identity, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Call SSM with the node's own key as credential: the token request and the key rotation.

        Raises:
            CallError: no answer, or an error of the service.
        """
        payload = json.dumps(body).encode("utf-8")
        url = self._endpoints.ssm_url + "/"
        headers = signing.sign_as_node(
            identity, method="POST", url=url, service="ssm", headers=_api_headers(operation), body=payload
        )
        return _api(url, operation, headers, payload)

    def call(self, credentials: RoleCredentials, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Call SSM with the node's role credentials.

        Raises:
            CallError: no answer, or an error of the service.
        """
        payload = json.dumps(body).encode("utf-8")
        url = self._endpoints.ssm_url + "/"
        headers = signing.sign(
            credentials,
            method="POST",
            url=url,
            service="ssm",
            region=self._identity.region,
            headers=_api_headers(operation),
            body=payload,
        )
        return _api(url, operation, headers, payload)

    def channel_token(self, credentials: RoleCredentials, kind: str, name: str) -> str:
        """CreateControlChannel or CreateDataChannel: return the token that opens the WebSocket.

        Args:
            credentials: the node's role credentials.
            kind: ``control-channel`` or ``data-channel``.
            name: node id or session id.

        Raises:
            CallError: anything but 201 with a token.
        """
        operation = "CreateControlChannel" if kind == "control-channel" else "CreateDataChannel"
        body: dict[str, Any] = {"MessageSchemaVersion": "1.0", "RequestId": str(uuid.uuid4())}
        if kind == "data-channel":
            body["ClientId"] = ""
        payload = json.dumps(body).encode("utf-8")
        url = f"{self._endpoints.gateway_url}/v1/{kind}/{quote(name, safe='')}"
        headers = self._sign_gateway(credentials, "POST", url, {"Content-Type": "application/json"}, payload)
        status, answer = _exchange(operation, url, headers, payload, GATEWAY_TIMEOUT)
        text = answer.decode("utf-8", "replace")
        found = re.search(r"<TokenValue>([^<]*)</TokenValue>", text)
        if status != http.client.CREATED or found is None:
            raise CallError(operation, f"HTTP {status}", " ".join(re.sub(r"<[^>]*>", " ", text).split())[:200])
        return found.group(1)

    def channel_address(self, credentials: RoleCredentials, kind: str, name: str) -> tuple[str, dict[str, str]]:
        """Return the WebSocket URL of a channel and the signed headers to open it with. Arguments as channel_token."""
        query = "role=subscribe&stream=input" if kind == "control-channel" else "role=publish_subscribe"
        url = f"{self._endpoints.gateway_url}/v1/{kind}/{quote(name, safe='')}?{query}"
        headers = self._sign_gateway(credentials, "GET", url, {}, b"")
        return "ws" + url.removeprefix("http"), headers

    def _sign_gateway(
        self, credentials: RoleCredentials, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        return signing.sign(
            credentials,
            method=method,
            url=url,
            service="ssmmessages",
            region=self._identity.region,
            headers=headers,
            body=body,
        )


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """Return the TLS settings of every connection: the system's trust, SSL_CERT_FILE and AWS_CA_BUNDLE."""
    context = ssl.create_default_context()
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle:
        context.load_verify_locations(bundle)
    return context


def _api_headers(operation: str) -> dict[str, str]:
    return {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"AmazonSSM.{operation}"}


def _api(url: str, operation: str, headers: Mapping[str, str], payload: bytes) -> dict[str, Any]:
    status, answer = _exchange(operation, url, headers, payload, API_TIMEOUT)
    try:
        parsed = json.loads(answer) if answer.strip() else {}
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise CallError(operation, "", f"HTTP {status} with a body that is not a JSON object")
    if status == http.client.OK:
        return parsed
    code = str(parsed.get("__type") or "").rpartition("#")[2]
    message = str(parsed.get("message") or parsed.get("Message") or f"HTTP {status}")
    raise CallError(operation, "" if status >= http.client.INTERNAL_SERVER_ERROR else code, " ".join(message.split()))


def _exchange(
    operation: str, url: str, headers: Mapping[str, str], payload: bytes, timeout: float
) -> tuple[int, bytes]:
    """Send one POST on a connection of its own and return status and body.

    A proxy is not asked: this agent's service is on the same machine.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout, context=tls())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    try:
        connection.request("POST", parts.path or "/", payload, dict(headers))
        response = connection.getresponse()
        return response.status, response.read(MAX_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise CallError(operation, "", f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
