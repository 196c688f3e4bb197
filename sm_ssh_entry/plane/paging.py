"""Pages of a listing: MaxResults and an opaque NextToken that holds for the same question only."""

from __future__ import annotations

import base64
import binascii
import bisect
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

from sm_ssh_entry.plane.api import AwsError, Request

T = TypeVar("T")

# A token is a position with a seal; a process that ends takes its key, and its tokens, with it.
_KEY = secrets.token_bytes(32)
_SEAL_BYTES = 16


def page(
    request: Request,
    items: Sequence[T],
    position: Callable[[T], int],
    *,
    default: int = 50,
    keep: Callable[[T], bool] | None = None,
) -> tuple[list[T], dict[str, Any]]:
    """Cut one page out of a listing.

    Args:
        request: MaxResults and NextToken stand in its parameters; the others are the question the token belongs to.
        items: the whole listing, ascending by position.
        position: gives an item's place; places never change, so items that come or go between two pages do no harm.
        default: items on a page where MaxResults is absent.
        keep: whether an item belongs to the listing; asked of no more than the page takes. None: all do.

    Returns:
        The items, and ``{"NextToken": ...}`` or ``{}`` to put into the answer.

    Raises:
        AwsError: InvalidNextToken.
    """
    token = request.params.get("NextToken")
    start = bisect.bisect_right(items, _open(request, token), key=position) if token else 0
    size = int(request.params.get("MaxResults") or default)
    # By index: a slice would copy what stands behind the page.
    candidates = (items[index] for index in range(start, len(items)))
    found = list(islice((item for item in candidates if keep is None or keep(item)), size + 1))
    if len(found) <= size:
        return found, {}
    del found[size:]
    return found, {"NextToken": _seal(request, position(found[-1]))}


def _question(request: Request) -> str:
    params = {key: value for key, value in request.params.items() if key not in ("NextToken", "MaxResults")}
    return json.dumps([request.operation, request.region, params], sort_keys=True)


def _mac(request: Request, position: bytes) -> bytes:
    text = _question(request).encode() + b"\0" + position
    return hmac.new(_KEY, text, hashlib.sha256).digest()[:_SEAL_BYTES]


def _seal(request: Request, position: int) -> str:
    text = str(position).encode()
    return base64.urlsafe_b64encode(_mac(request, text) + text).decode()


def _open(request: Request, token: str) -> int:
    try:
        raw = base64.urlsafe_b64decode(token.encode())
        seal, text = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if hmac.compare_digest(seal, _mac(request, text)):
            return int(text)
    except (ValueError, binascii.Error):
        pass
    raise AwsError("InvalidNextToken", "The specified token is not valid.")
