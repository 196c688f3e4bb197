"""A runner: a process that runs one order to its end, and writes into the record what became of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sm_ssh_entry.plane.execution import reasons

if TYPE_CHECKING:
    from sm_ssh_entry.plane.execution.work import Work

# Kind -> module with ``run(work)``, which notes every status that it reaches, the last one included.
_MODULES: Mapping[str, str] = {
    "training": "training",
    "processing": "processing",
    "transform": "transform",
    "inference": "endpoint",
    "tuning": "tuning",
}


def run(work: Work) -> None:
    """Run an order; whatever happens, its record has a last status in the end.

    Args:
        work: the order.
    """
    from sm_ssh_entry.plane.execution.work import Failed, Stopped

    module = importlib.import_module(f"sm_ssh_entry.plane.execution.{_MODULES[work.order.kind]}")
    act: Callable[[Work], None] = module.run
    try:
        act(work)
    except Failed as error:
        work.note("Failed", failure=str(error), secondary="Failed")
    except Stopped:
        work.note("Stopped", secondary="Stopped")
    except Exception as error:
        # Whoever asked for the job learns what the service would say, and our own log has the rest.
        work.note("Failed", failure=reasons.internal(f"{type(error).__name__}: {error}"), secondary="Failed")
        raise
