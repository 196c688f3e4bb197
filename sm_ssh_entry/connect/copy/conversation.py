"""The client's end of an SFTP conversation: requests out, replies in, matched by number. Pure.

conversation = Conversation()
out = conversation.begin()
number, out = conversation.ask(packets.Stat(b"/opt/ml"))
for number, reply in conversation.receive(data): ...
"""

from __future__ import annotations

from sm_ssh_entry.connect.copy import packets
from sm_ssh_entry.connect.copy.fields import ProtocolError, Reader
from sm_ssh_entry.connect.copy.packets import Packet

#: What each request may be answered with, beside a status.
_ANSWERS: dict[type[Packet], type[Packet]] = {
    packets.Open: packets.Handle,
    packets.Opendir: packets.Handle,
    packets.Read: packets.Data,
    packets.Readdir: packets.Names,
    packets.Realpath: packets.Names,
    packets.Stat: packets.Attrs,
    packets.Lstat: packets.Attrs,
    packets.Extended: packets.ExtendedReply,
}
_LENGTH = 4


class Conversation:
    """Numbers requests and takes replies apart; memory stays within one packet and what is outstanding."""

    def __init__(self) -> None:
        #: What the server's version packet said; None until it came.
        self.version: packets.Version | None = None
        self._buffer = bytearray()
        self._asked: dict[int, Packet] = {}
        self._next = 0

    def begin(self) -> bytes:
        """Return the first packet."""
        return packets.Init().encode()

    def has(self, extension: bytes) -> bool:
        """Whether the server has an extension."""
        return self.version is not None and any(name == extension for name, _ in self.version.extensions)

    def ask(self, request: Packet) -> tuple[int, bytes]:
        """Number a request; return the number and the packet."""
        self._next = (self._next + 1) & 0xFFFFFFFF
        self._asked[self._next] = request
        return self._next, request.encode(self._next)

    def receive(self, data: bytes) -> list[tuple[int, Packet]]:
        """Take what came in, in pieces of any size; return the replies that are whole.

        Raises:
            ProtocolError: it is no SFTP, or answers what was not asked. The conversation is over then.
        """
        self._buffer += data
        replies: list[tuple[int, Packet]] = []
        at = 0
        while len(self._buffer) - at >= _LENGTH:
            length = int.from_bytes(self._buffer[at : at + _LENGTH], "big")
            if not 1 <= length <= packets.LONGEST:
                raise ProtocolError(f"a packet of {length} bytes is announced")
            if len(self._buffer) - at - _LENGTH < length:
                break
            at += _LENGTH
            self._take(bytes(self._buffer[at : at + length]), replies)
            at += length
        del self._buffer[:at]
        return replies

    def _take(self, packet: bytes, replies: list[tuple[int, Packet]]) -> None:
        number, reply = packets.decode(packet)
        if isinstance(reply, packets.Version):
            if self.version is not None or reply.version != packets.VERSION:
                raise ProtocolError(f"the server wants version {reply.version} of SFTP")
            self.version = reply
            return
        request = self._asked.pop(number, None)
        if request is None:
            raise ProtocolError("an answer came to nothing that was asked")
        if not isinstance(reply, (packets.Status, _ANSWERS.get(type(request), packets.Status))):
            raise ProtocolError(f"{type(reply).__name__} is no answer to {type(request).__name__}")
        if (
            isinstance(request, packets.Read)
            and isinstance(reply, packets.Data)
            and not (0 < len(reply.data) <= request.length)
        ):
            raise ProtocolError(f"{len(reply.data)} bytes came where {request.length} were asked for")
        replies.append((number, reply))


def limits(reply: packets.ExtendedReply) -> tuple[int, int, int, int]:
    """Read an answer of ``limits@openssh.com``: longest packet, read and write, most handles; 0: no limit said."""
    reader = Reader(reply.data)
    return reader.u64(), reader.u64(), reader.u64(), reader.u64()


def free_bytes(reply: packets.ExtendedReply) -> int:
    """Read an answer of ``statvfs@openssh.com``: bytes that are free for an ordinary user."""
    reader = Reader(reply.data)
    _block, fragment, _blocks, _free, available = (reader.u64() for _ in range(5))
    return fragment * available
