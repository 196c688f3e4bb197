"""Members of a request by boto3's names, whatever it is written in: dicts, ``snake_case``, or shapes of SDK v3."""

from __future__ import annotations

import re
from typing import Any

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """Return a member's name as ``sagemaker.core`` writes it: ``RoleArn`` is ``role_arn``."""
    return _WORD.sub("_", name).lower()


def get(holder: Any, name: str) -> Any:
    """Return a member, None where it is not set.

    Args:
        holder: dict or shape; None: nothing.
        name: the member's name in boto3.
    """
    if isinstance(holder, dict):
        value = holder.get(name, holder.get(snake(name)))
    else:
        value = getattr(holder, snake(name), None)
    # SDK v3 marks what was not given with an object of a class of its own.
    return None if type(value).__name__ == "Unassigned" else value


def put(holder: Any, name: str, value: Any) -> None:
    """Set a member, in the style of those that are there.

    Args:
        holder: dict or shape.
        name: the member's name in boto3.
        value: what it becomes.
    """
    if not isinstance(holder, dict):
        setattr(holder, snake(name), value)
    elif name not in holder and any(key[:1].islower() for key in holder if isinstance(key, str)):
        holder[snake(name)] = value
    else:
        holder[name] = value
