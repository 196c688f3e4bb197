"""The one I/O shell around ``wire.DataChannel``: asyncio, and a WebSocket client library that is imported when
dialling.

    pump = Pump(channel, dial)                  # dial() opens a websocket and presents the token
    running = asyncio.create_task(pump.run(on_event))
    await pump.send_data(b"...")                # waits while the window is full
    await pump.close()                          # or the service closes the channel: run() returns

``open_websocket`` is what a ``dial`` usually ends with. Errors: see ``PumpError``.
"""

from __future__ import annotations

from sm_ssh_entry.pump.errors import ConnectionLost, DialRefused, PeerBroken, PumpError, SessionOver
from sm_ssh_entry.pump.session import Pump
from sm_ssh_entry.pump.watch import Pace
from sm_ssh_entry.pump.websocket import WebSocketLike, open_websocket

__all__ = [
    "ConnectionLost",
    "DialRefused",
    "Pace",
    "PeerBroken",
    "Pump",
    "PumpError",
    "SessionOver",
    "WebSocketLike",
    "open_websocket",
]
