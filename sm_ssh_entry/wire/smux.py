"""smux version 1: many TCP connections in the one stream of a port session.

A frame is version, command, length (u16) and stream id (u32), little-endian, then data. Messages of the data channel do
not follow frames. Version 1 has no windows: a stream that nobody reads stops the others, too. The shell calls
:meth:`MuxSession.consumed` for what it has passed on, and stops reading the session while :attr:`MuxSession.readable`
is false.

Once a frame is malformed the position in the stream is lost: that session raises RemoteProtocolError for ever after.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError

VERSION = 1
#: Most data in one frame, both ways.
MAX_FRAME_BYTES = 32768
#: What we send at most: with its header it fits one data-channel message of 32 KiB.
SEND_FRAME_BYTES = MAX_FRAME_BYTES - 8
#: Data given out and not yet ``consumed`` above which the session is not ``readable``: smux's receive pool.
RECEIVE_BYTES = 4 << 20
#: Most streams open at once; those beyond are closed as soon as they are opened.
MAX_STREAMS = 1024
#: Seconds between keepalive frames, and without any frame until the peer counts as gone.
KEEPALIVE_INTERVAL = 10.0
KEEPALIVE_TIMEOUT = 30.0

_HEADER = struct.Struct("<BBHI")


class Command(IntEnum):
    """What a frame does."""

    SYN = 0
    FIN = 1
    PSH = 2
    NOP = 3


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer opened a stream."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class StreamData:
    """Bytes of a stream. Tell :meth:`MuxSession.consumed` when they have been passed on."""

    stream_id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The peer sends no more on this stream. Close it on this side, too, when done with it."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class KeepaliveTimeout:
    """Nothing came from the peer for KEEPALIVE_TIMEOUT."""


MuxEvent = StreamOpened | StreamData | StreamClosed | KeepaliveTimeout


class MuxSession:
    """One side of an smux session. ``client`` takes odd stream ids from 3; ``keepalive`` see ``versions``."""

    def __init__(self, *, client: bool, keepalive: bool = False) -> None:
        self._client = client
        self._next_id = 3 if client else 2
        #: stream id -> whether the peer has finished sending
        self._streams: dict[int, bool] = {}
        #: Streams on which we have finished sending and still take what comes.
        self._finished: set[int] = set()
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._unconsumed = 0
        self._failed = False
        self._keepalive = keepalive
        self._heard = False
        self._ping_at: float | None = None
        self._check_at: float | None = None

    @property
    def streams(self) -> frozenset[int]:
        """Streams that are not closed on this side."""
        return frozenset(self._streams)

    @property
    def readable(self) -> bool:
        """Whether to feed more bytes: less than RECEIVE_BYTES of stream data are waiting to be passed on."""
        return self._unconsumed < RECEIVE_BYTES

    def consumed(self, count: int) -> None:
        """So many bytes of StreamData have been passed on."""
        if not 0 <= count <= self._unconsumed:
            raise LocalProtocolError(f"{count} bytes consumed of {self._unconsumed}")
        self._unconsumed -= count

    def receive(self, data: bytes) -> list[MuxEvent]:
        """Take bytes of the session. Raises RemoteProtocolError, now and ever after, if they are no frames."""
        if self._failed:
            raise RemoteProtocolError("the smux session has failed before")
        self._heard = True
        self._buffer += data
        found: list[MuxEvent] = []
        start, size = 0, len(self._buffer)
        try:
            while size - start >= _HEADER.size:
                version, command, length, stream_id = _HEADER.unpack_from(self._buffer, start)
                self._check(version, command, length)
                end = start + _HEADER.size + length
                if end > size:
                    break
                payload = bytes(self._buffer[start + _HEADER.size : end])
                found += self._frame(command, stream_id, payload)
                start = end
        except RemoteProtocolError:
            self._failed = True
            self._buffer.clear()
            if not found:
                raise
            return found  # What came before is good. The next call raises.
        del self._buffer[:start]
        return found

    def open_stream(self) -> int:
        """Open a stream and return its id. Raises LocalProtocolError when MAX_STREAMS are open."""
        if len(self._streams) >= MAX_STREAMS:
            raise LocalProtocolError(f"{MAX_STREAMS} streams are open")
        stream_id = self._next_id
        if stream_id > 0xFFFFFFFF:
            raise LocalProtocolError("stream ids are used up")
        self._next_id += 2
        self._streams[stream_id] = False
        self._send(Command.SYN, stream_id)
        return stream_id

    def send(self, stream_id: int, data: bytes | memoryview) -> None:
        """Send bytes on a stream. The shell takes them with :meth:`bytes_to_send` before it sends more."""
        if stream_id not in self._streams or stream_id in self._finished:
            raise LocalProtocolError(f"stream {stream_id} is not open")
        view = memoryview(data)
        for start in range(0, len(view), SEND_FRAME_BYTES):
            self._send(Command.PSH, stream_id, view[start : start + SEND_FRAME_BYTES])

    def finish_stream(self, stream_id: int) -> None:
        """Send no more on a stream, and give out what still comes. The official peer sends nothing after our end."""
        if stream_id in self._streams and stream_id not in self._finished:
            self._finished.add(stream_id)
            self._send(Command.FIN, stream_id)

    def close_stream(self, stream_id: int) -> None:
        """Send no more on a stream, and drop what still comes. Closing what is closed already does nothing."""
        if self._streams.pop(stream_id, None) is not None:
            if stream_id not in self._finished:
                self._send(Command.FIN, stream_id)
            self._finished.discard(stream_id)

    def bytes_to_send(self) -> bytes:
        """Take what is to be sent."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick`; 0.0 before the first time. None: keepalive is off."""
        if not self._keepalive or self._failed:
            return None
        if self._ping_at is None or self._check_at is None:
            return 0.0
        return min(self._ping_at, self._check_at)

    def tick(self, now: float) -> list[MuxEvent]:
        """Send what keeps the session alive, and look whether the peer does. ``now`` in monotonic seconds."""
        if not self._keepalive or self._failed:
            return []
        if self._ping_at is None or self._check_at is None:
            self._ping_at, self._check_at = now + KEEPALIVE_INTERVAL, now + KEEPALIVE_TIMEOUT
            return []
        if now >= self._ping_at:
            self._ping_at = now + KEEPALIVE_INTERVAL
            self._send(Command.NOP, 0)
        if now < self._check_at:
            return []
        self._check_at = now + KEEPALIVE_TIMEOUT
        heard, self._heard = self._heard, False
        # A session that is not read because its data waits here has not fallen silent.
        return [] if heard or not self.readable else [KeepaliveTimeout()]

    def _check(self, version: int, command: int, length: int) -> None:
        if version != VERSION:
            raise RemoteProtocolError(f"smux version {version} instead of {VERSION}")
        if command not in (Command.SYN, Command.FIN, Command.PSH, Command.NOP):
            raise RemoteProtocolError(f"smux command {command} is unknown")
        if length > MAX_FRAME_BYTES:
            raise RemoteProtocolError(f"an smux frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
        if length and command != Command.PSH:
            raise RemoteProtocolError(f"an smux {Command(command).name} frame carries {length} bytes")

    def _frame(self, command: int, stream_id: int, payload: bytes) -> list[MuxEvent]:
        if command == Command.SYN:
            return self._opened(stream_id)
        if command == Command.NOP or self._streams.get(stream_id, True):
            return []  # NOP; or a stream that was closed here or finished there: what comes late is dropped.
        if command == Command.FIN:
            self._streams[stream_id] = True
            return [StreamClosed(stream_id)]
        if not payload:
            return []
        self._unconsumed += len(payload)
        return [StreamData(stream_id, payload)]

    def _opened(self, stream_id: int) -> list[MuxEvent]:
        if stream_id % 2 != (0 if self._client else 1):
            raise RemoteProtocolError(f"the peer opens stream {stream_id}, which is not one of its numbers")
        if stream_id in self._streams:
            return []
        if len(self._streams) >= MAX_STREAMS:
            self._send(Command.FIN, stream_id)
            return []
        self._streams[stream_id] = False
        return [StreamOpened(stream_id)]

    def _send(self, command: Command, stream_id: int, payload: bytes | memoryview = b"") -> None:
        self._out.append(_HEADER.pack(VERSION, command, len(payload), stream_id))
        if payload:
            self._out.append(bytes(payload))
