"""Replies find their requests, in whatever pieces and order they come."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect.copy import conversation, packets
from sm_ssh_entry.connect.copy.conversation import Conversation
from sm_ssh_entry.connect.copy.fields import ProtocolError, u64

VERSION = packets.Version(3, ((packets.LIMITS, b"1"),)).encode()


def test_replies_are_matched_by_number_in_any_order_and_byte_by_byte() -> None:
    talk = Conversation()
    assert talk.begin() == packets.Init().encode()
    first, _ = talk.ask(packets.Stat(b"/a"))
    second, _ = talk.ask(packets.Open(b"/a", 1))
    handle, status = packets.Handle(b"h"), packets.Status(2)
    data = VERSION + handle.encode(second) + status.encode(first)
    got = [reply for byte in data for reply in talk.receive(bytes([byte]))]
    assert got == [(second, handle), (first, status)]
    assert talk.has(packets.LIMITS)
    assert not talk.has(packets.POSIX_RENAME)


def test_whole_and_trailing() -> None:
    talk = Conversation()
    number, _ = talk.ask(packets.Close(b"h"))
    answer = packets.Status(0).encode(number)
    assert talk.receive(VERSION + answer[:-1]) == []
    assert talk.receive(answer[-1:]) == [(number, packets.Status(0))]


@pytest.mark.parametrize(
    "data",
    [
        packets.Version(4).encode(),
        VERSION + VERSION,
        VERSION + packets.Handle(b"h").encode(1),  # the request was a Stat
        VERSION + packets.Status(0).encode(9),  # nothing of that number
        VERSION + packets.Stat(b"/a").encode(1),  # a server asks nothing
        (packets.LONGEST + 1).to_bytes(4, "big"),
        (0).to_bytes(4, "big"),
    ],
)
def test_what_no_server_says_is_refused(data: bytes) -> None:
    talk = Conversation()
    talk.ask(packets.Stat(b"/a"))
    with pytest.raises(ProtocolError):
        talk.receive(data)


@pytest.mark.parametrize("data", [b"", b"1234"])
def test_more_or_less_than_was_asked_for_is_refused(data: bytes) -> None:
    talk = Conversation()
    number, _ = talk.ask(packets.Read(b"h", 0, 3))
    with pytest.raises(ProtocolError):
        talk.receive(packets.Data(data).encode(number))


def test_limits_and_free_bytes() -> None:
    assert conversation.limits(packets.ExtendedReply(b"".join(map(u64, (1, 2, 3, 4))))) == (1, 2, 3, 4)
    about = b"".join(map(u64, (4096, 512, 100, 50, 40, 0, 0, 0, 0, 0, 255)))
    assert conversation.free_bytes(packets.ExtendedReply(about)) == 512 * 40
    with pytest.raises(ProtocolError):
        conversation.limits(packets.ExtendedReply(b"12"))
