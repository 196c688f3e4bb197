"""InputGate: what a client keeps back until the agent is ready for it."""

from __future__ import annotations

from sm_ssh_entry.wire.errors import LocalProtocolError
from sm_ssh_entry.wire.message import PayloadType

#: Most bytes that wait. The channel is not ``writable`` meanwhile, so only a shell that does not look gets here.
MAX_WAITING_BYTES = 1 << 20


class InputGate:
    """A queue of stream messages that is shut at first and opened once."""

    def __init__(self) -> None:
        self.is_open = False
        #: When to open it at the latest, in seconds, or None while that is not known.
        self.open_at: float | None = None
        self._waiting: list[tuple[PayloadType, bytes]] = []
        self._bytes = 0

    def keep(self, kind: PayloadType, payload: bytes | memoryview) -> None:
        """Keep a message for later. Raises LocalProtocolError when there is no room."""
        if self._bytes + len(payload) > MAX_WAITING_BYTES:
            raise LocalProtocolError(f"over {MAX_WAITING_BYTES} bytes of input before the session could take any")
        self._waiting.append((kind, bytes(payload)))
        self._bytes += len(payload)

    def open(self) -> list[tuple[PayloadType, bytes]]:
        """Open for good, and return what was kept, in order."""
        kept, self._waiting = self._waiting, []
        self._bytes = 0
        self.is_open, self.open_at = True, None
        return kept
