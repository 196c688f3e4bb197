"""Reading JSON objects from a peer: every surprise is a RemoteProtocolError, never a KeyError or a TypeError.

Go, in which the official peers are written, matches keys without regard to case, ignores unknown ones and reads null as
"absent". So do these readers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from sm_ssh_entry.wire.errors import RemoteProtocolError

_T = TypeVar("_T")

#: Default value meaning that a field has none: its absence is an error.
REQUIRED: Any = object()


def parse_object(payload: bytes | str, what: str) -> dict[str, Any]:
    """Return the JSON object in a payload. NULs and spaces around it are padding. ``what`` names it in the error."""
    try:
        text = payload.decode("utf-8") if isinstance(payload, bytes) else payload
        value = json.loads(text.strip("\0 \t\r\n"), parse_constant=_no_constant)
        if "\\ud" in text.lower():
            # JSON can spell half a surrogate pair, which no text file or terminal accepts later.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        # The text of the error quotes no content: it may hold a token.
        raise RemoteProtocolError(f"{what} is not valid JSON ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{what} is not a JSON object")
    return value


def to_json(value: Mapping[str, Any]) -> bytes:
    """Return compact JSON as the official peers write it."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def text(source: Mapping[str, Any], key: str, default: str = REQUIRED) -> str:
    """Return a string field."""
    return _typed(source, key, default, str)


def integer(
    source: Mapping[str, Any], key: str, default: int = REQUIRED, *, low: int = 0, high: int = 2**63 - 1
) -> int:
    """Return an integer field within ``low`` and ``high``, both included."""
    value = _typed(source, key, default, int)
    if isinstance(value, bool) or not low <= value <= high:
        raise RemoteProtocolError(f"{key} is out of range")
    return value


def boolean(source: Mapping[str, Any], key: str, default: bool = REQUIRED) -> bool:
    """Return a true or false field."""
    return _typed(source, key, default, bool)


def mapping(source: Mapping[str, Any], key: str, default: dict[str, Any] = REQUIRED) -> dict[str, Any]:
    """Return an object field."""
    return _typed(source, key, default, dict)


def objects(source: Mapping[str, Any], key: str, *, limit: int = 64) -> list[dict[str, Any]]:
    """Return a field that is a list of objects; absent or null is an empty list. At most ``limit`` of them."""
    items: list[Any] = _typed(source, key, [], list)
    if len(items) > limit:
        raise RemoteProtocolError(f"{key} has more than {limit} entries")
    for item in items:
        if not isinstance(item, dict):
            raise RemoteProtocolError(f"{key} holds something that is not an object")
    return items


def lookup(source: Mapping[str, Any], key: str) -> Any:
    """Return a field as it is, or None when it is absent."""
    if key in source:
        return source[key]
    folded = key.casefold()
    for name, value in source.items():
        if name.casefold() == folded:
            return value
    return None


def _typed(source: Mapping[str, Any], key: str, default: _T, kind: type[_T]) -> _T:
    value = lookup(source, key)
    if value is None:
        if default is REQUIRED:
            raise RemoteProtocolError(f"{key} is missing")
        return default
    if not isinstance(value, kind):
        raise RemoteProtocolError(f"{key} is not of type {kind.__name__}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
