"""Errors and delays on order: what a client of AWS must survive and a quiet emulator never shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane.api import AwsError

ANY = "*"
_TEXTS = {
    "ThrottlingException": "Rate exceeded",
    "AccessDeniedException": "User is not authorized to perform this action",
    "ExpiredTokenException": "The security token included in the request is expired",
    "InternalServerError": "An error occurred on the server side.",
}


@dataclass
class Fault:
    """What happens to calls of one operation.

    Args:
        operation: its name, ``CreateActivation`` for one; ``*``: every operation.
        code: AWS's error code; ``""``: no error, only the delay.
        message: text of the error.
        status: HTTP status of the error.
        times: how many calls it strikes; None: all until it is cleared.
        delay: seconds before the error, or before the operation goes on.
        struck: how many it has struck.
    """

    operation: str
    code: str = ""
    message: str = ""
    status: int = 400
    times: int | None = None
    delay: float = 0.0
    struck: int = 0


class Faults:
    """The faults in force, in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(
        self,
        operation: str,
        code: str = "",
        *,
        message: str = "",
        status: int = 400,
        times: int | None = None,
        delay: float = 0.0,
    ) -> Fault:
        """Put a fault in force; the arguments are those of ``Fault``. Several on one operation strike in turn."""
        fault = Fault(operation, code, message or _TEXTS.get(code, ""), status, times, delay)
        self._faults.append(fault)
        return fault

    def reset(self) -> None:
        """Clear all of them."""
        self._faults.clear()

    def listing(self) -> list[dict[str, Any]]:
        """Return the faults in force as plain values."""
        return [dict(vars(fault)) for fault in self._faults]

    def take(self, operation: str) -> Fault | None:
        """Return the fault that strikes this call, and count it."""
        fault = next((one for one in self._faults if one.operation in (operation, ANY)), None)
        if fault is not None:
            fault.struck += 1
            if fault.times is not None and fault.struck >= fault.times:
                self._faults.remove(fault)
        return fault

    async def strike(self, operation: str) -> None:
        """Let the next fault on this operation happen, if there is one.

        Raises:
            AwsError: the fault's error.
        """
        fault = self.take(operation)
        if fault is None:
            return
        if fault.delay > 0:
            await asyncio.sleep(fault.delay)
        if fault.code:
            raise AwsError(fault.code, fault.message, fault.status)
