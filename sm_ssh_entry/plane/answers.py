"""HTTP answers in the dialect the caller reads: JSON 1.1, the query protocol's XML, S3's XML."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from sm_ssh_entry.plane.api import JSON_CONTENT_TYPE, AwsError, Caller

_STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
# The same refusals have older names where the protocol is XML.
_QUERY_CODES = {
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "IncompleteSignatureException": "IncompleteSignature",
    "ExpiredTokenException": "ExpiredToken",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "AccessDeniedException": "AccessDenied",
    "ThrottlingException": "Throttling",
}
_S3_CODES = _QUERY_CODES | {
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "IncompleteSignatureException": "AuthorizationHeaderMalformed",
    "MissingAuthenticationTokenException": "AccessDenied",
}
_FORBIDDEN = set(_QUERY_CODES.values()) | set(_S3_CODES.values())


def dialect(headers: Mapping[str, str], service: str) -> str:
    """Return ``json``, ``query`` or ``s3``: how this caller reads errors.

    Args:
        headers: the request's headers.
        service: service of the signature's scope; ``""``: unsigned.
    """
    if "X-Amz-Target" in headers:
        return "json"
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return "query"
    return "s3" if service in ("s3", "") else "json"


def ok(result: Mapping[str, Any]) -> web.Response:
    """Answer a JSON 1.1 call."""
    return _response(200, json.dumps(result).encode(), JSON_CONTENT_TYPE)


def failure(error: AwsError, how: str = "json") -> web.Response:
    """Answer with an error.

    Args:
        error: the error, under its JSON name.
        how: the caller's dialect.
    """
    if how == "json":
        response = _response(error.status, json.dumps(error.body()).encode(), JSON_CONTENT_TYPE)
        # Where the protocol is REST with JSON, the SDKs look for the code here.
        response.headers["x-amzn-ErrorType"] = error.code
        return response
    code = (_S3_CODES if how == "s3" else _QUERY_CODES).get(error.code, error.code)
    status = 403 if code in _FORBIDDEN and error.status == 400 else error.status
    inner = f"<Code>{escape(code)}</Code><Message>{escape(error.message)}</Message>"
    request_id = uuid.uuid4()
    if how == "s3":
        text = f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
    else:
        kind = f"<Error><Type>Sender</Type>{inner}</Error>"
        text = f"<ErrorResponse>{kind}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return _response(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), "text/xml")


def caller_identity(caller: Caller) -> web.Response:
    """Answer STS GetCallerIdentity."""
    fields = {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    text = (
        f'<GetCallerIdentityResponse xmlns="{_STS_NAMESPACE}">'
        f"<GetCallerIdentityResult>{inner}</GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return _response(200, text.encode(), "text/xml")


def _response(status: int, body: bytes, content_type: str) -> web.Response:
    headers = {"Content-Type": content_type, "x-amzn-RequestId": str(uuid.uuid4())}
    return web.Response(status=status, body=body, headers=headers)
