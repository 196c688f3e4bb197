"""What the scripts have in common. They run in the environments of SageMaker's SDKs, without pytest or our tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/service-role/Job"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:ssh"
ONE = {"instance_count": 1, "instance_type": "ml.m5.large"}


def quiet() -> None:
    """Let the SDKs send nothing about their use."""
    for name in [name for name in sys.modules if name.endswith(".telemetry_logging")]:
        vars(sys.modules[name])["_send_telemetry_request"] = lambda *_, **__: None


def refused(action: Callable[[], Any]) -> list[str]:
    """Return class, message and hint of what an action raises."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return [type(error).__name__, str(error), getattr(error, "hint", "")]
    return []


def ours(environment: dict[str, str]) -> dict[str, str]:
    """Return our variables, without the one that is random."""
    return {name: value for name, value in environment.items() if "SSH" in name and name != "SSH_SESSION_ID"}


def write(found: dict[str, Any]) -> None:
    """Write what was found into the file that the script was given."""
    Path(sys.argv[1]).write_text(json.dumps(found, default=str), encoding="utf-8")
