"""What an operation of the plane receives and returns, whoever serves it. No I/O here.

A module that serves operations exports ``OPERATIONS: dict[str, Handler]``; ``server`` merges the tables. By the time a
handler runs, the signature was checked, faults were applied and the parameters satisfy the operation's shape.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sm_ssh_entry.plane.store import Store

JSON_CONTENT_TYPE = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Caller:
    """Who signed a request.

    Args:
        access_key: access key id; ``""``: nobody signed. A request signed with a node's RSA key has the node id here.
        arn: the principal's ARN, which becomes a session's owner for one.
        user_id: what ``aws:userid`` is for this principal.
        node_id: the managed node whose role credentials or key signed; ``""``: not a node.
        account: AWS account id.
    """

    access_key: str = ""
    arn: str = ""
    user_id: str = ""
    node_id: str = ""
    account: str = ""


ANONYMOUS = Caller()


@dataclass(frozen=True)
class Request:
    """One call of one operation.

    Args:
        operation: name without its prefix, ``StartSession`` for one.
        params: the JSON body, checked against the operation's shape. Timestamps are still what came in.
        region: region of the signature's scope; state is separate by region.
        access_key: who signed, in short; ``""``: nobody. ``caller`` has the rest.
        scheme: ``http`` or ``https``, by the listener that took the call.
        host: ``127.0.0.1:PORT`` as the caller wrote it.
        headers: the HTTP headers, case-insensitive.
        body: the body as it came.
        caller: who signed.
    """

    operation: str
    params: dict[str, Any]
    region: str
    access_key: str = ""
    scheme: str = "http"
    host: str = "127.0.0.1"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    caller: Caller = ANONYMOUS


class AwsError(Exception):
    """An answer that is an error, as the AWS API gives it.

    Args:
        code: AWS's error code, ``InvalidInstanceId`` for one.
        message: text for people; may be empty, as AWS's often is.
        status: HTTP status.
    """

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, str]:
        """Return the JSON body. Protocol page, section 1; the SDKs read ``__type`` and either spelling of message."""
        return {"__type": self.code, "message": self.message}


class NotOurs(Exception):
    """A handler's way to say that moto has this one: tags of a parameter store entry, for one."""


Handler = Callable[["Store", Request], Awaitable[dict[str, Any]]]
