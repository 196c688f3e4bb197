"""moto's tables in this process, for what its API does not give. moto's modules import one another in circles."""

from __future__ import annotations

import importlib
import threading
from typing import Any

# Two threads that begin a circle at different places would see each other's half-made modules.
IMPORTING = threading.Lock()


def backends(service: str) -> Any:
    """Return moto's tables of a service, by account and Region. The first call takes half a second: not in the loop.

    Args:
        service: ``sagemaker`` for one.
    """
    with IMPORTING:
        module = importlib.import_module(f"moto.{service}.models")
    return getattr(module, f"{service}_backends")
