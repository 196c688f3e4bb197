"""Each packet both ways from one literal; what is no packet is refused."""

from __future__ import annotations

import contextlib
import random
import sys

import pytest

from sm_ssh_entry.connect.copy import packets as p
from sm_ssh_entry.connect.copy.attributes import Attributes
from sm_ssh_entry.connect.copy.conversation import Conversation
from sm_ssh_entry.connect.copy.fields import ProtocolError
from tests.test_rooms import IMPURE, PACKAGE, imported

ALL = Attributes(size=258, owner=(1, 2), permissions=0o100755, times=(3, 4))
ALL_HEX = "0000000f 0000000000000102 00000001 00000002 000081ed 00000003 00000004"
# draft-ietf-secsh-filexfer-02, sections 4 to 7, written out by hand.
LITERALS: list[tuple[p.Packet, str]] = [
    (p.Init(), "00000005 01 00000003"),
    (p.Version(3, ((b"a@b", b"1"),)), "00000011 02 00000003 00000003 614062 00000001 31"),
    (p.Open(b"/a", 0x1A), "00000013 03 00000007 00000002 2f61 0000001a 00000000"),
    (p.Open(b"/a", 1, ALL), f"0000002f 03 00000007 00000002 2f61 00000001 {ALL_HEX}"),
    (p.Close(b"h"), "0000000a 04 00000007 00000001 68"),
    (p.Read(b"h", 1 << 32, 5), "00000016 05 00000007 00000001 68 0000000100000000 00000005"),
    (p.Write(b"h", 2, b"xy"), "00000018 06 00000007 00000001 68 0000000000000002 00000002 7879"),
    (p.Lstat(b"/a"), "0000000b 07 00000007 00000002 2f61"),
    (p.Setstat(b"/a", Attributes(permissions=0o644)), "00000013 09 00000007 00000002 2f61 00000004 000001a4"),
    (p.Opendir(b"/"), "0000000a 0b 00000007 00000001 2f"),
    (p.Readdir(b"h"), "0000000a 0c 00000007 00000001 68"),
    (p.Remove(b"/a"), "0000000b 0d 00000007 00000002 2f61"),
    (p.Mkdir(b"/a"), "0000000f 0e 00000007 00000002 2f61 00000000"),
    (p.Realpath(b"."), "0000000a 10 00000007 00000001 2e"),
    (p.Stat(b"/a"), "0000000b 11 00000007 00000002 2f61"),
    (p.Rename(b"a", b"b"), "0000000f 12 00000007 00000001 61 00000001 62"),
    (p.Extended(b"x", b"yz"), "0000000c c8 00000007 00000001 78 797a"),
    (p.Status(2, b"no", b"en"), "00000015 65 00000007 00000002 00000002 6e6f 00000002 656e"),
    (p.Handle(b"h"), "0000000a 66 00000007 00000001 68"),
    (p.Data(b"xyz"), "0000000c 67 00000007 00000003 78797a"),
    (p.Names((p.Name(b"a", b"-a", ALL),)), f"00000034 68 00000007 00000001 00000001 61 00000002 2d61 {ALL_HEX}"),
    (p.Attrs(ALL), f"00000025 69 00000007 {ALL_HEX}"),
    (p.ExtendedReply(b"abc"), "00000008 c9 00000007 616263"),
]
IDS = [type(packet).__name__ for packet, _ in LITERALS]


@pytest.mark.parametrize(("packet", "literal"), LITERALS, ids=IDS)
def test_both_ways(packet: p.Packet, literal: str) -> None:
    data = bytes.fromhex(literal)
    assert packet.encode(7) == data
    assert p.decode(data[4:]) == (7 if packet.NUMBERED else 0, packet)


@pytest.mark.parametrize(("packet", "literal"), LITERALS, ids=IDS)
def test_one_byte_less_is_refused(packet: p.Packet, literal: str) -> None:
    data = bytes.fromhex(literal)[4:]
    open_ended = isinstance(packet, (p.Extended, p.ExtendedReply))
    for end in range(len(data)):
        if (open_ended and end >= len(data) - 3) or (isinstance(packet, p.Version) and end == 5):
            continue
        with pytest.raises((ProtocolError, IndexError) if end == 0 else ProtocolError):
            p.decode(data[:end])


def test_bytes_behind_a_packet_are_refused() -> None:
    with pytest.raises(ProtocolError, match="too long"):
        p.decode(p.Handle(b"h").encode(1)[4:] + b"x")


def test_extended_attributes_are_passed_over() -> None:
    data = bytes.fromhex("69 00000001 80000004 000001a4 00000001 00000001 61 00000001 62")
    assert p.decode(data) == (1, p.Attrs(Attributes(permissions=0o644)))


def test_times_outside_32_bits_go_to_the_nearest_end() -> None:
    assert Attributes(times=(-5, 1 << 40)).encode() == bytes.fromhex("00000008 00000000 ffffffff")


def test_an_announced_crowd_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="entries"):
        p.decode(bytes.fromhex("68 00000001 ffffffff"))


@pytest.mark.parametrize("seed", range(8))
def test_any_bytes_give_a_packet_or_a_refusal(seed: int) -> None:
    """The invariant of the decoder and of the conversation: nothing but ProtocolError, and no more memory than said."""
    dice = random.Random(seed)
    whole = [bytes.fromhex(literal) for _, literal in LITERALS]
    for _ in range(400):
        data = bytearray(dice.choice(whole))
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        talk = Conversation()
        talk.begin()
        for request in (p.Stat(b"/"), p.Read(b"h", 0, 3), p.Readdir(b"h"), p.Open(b"/", 1)):
            talk.ask(request)
        with contextlib.suppress(ProtocolError):
            p.decode(bytes(data[4:]))
        with contextlib.suppress(ProtocolError):
            talk.receive(bytes(data))
            talk.receive(dice.randbytes(30))
        assert len(talk._buffer) <= p.LONGEST


@pytest.mark.parametrize("name", ["fields", "attributes", "packets", "conversation", "spans"])
def test_the_codec_is_pure(name: str) -> None:
    outside = {one.split(".")[0] for one in imported(PACKAGE / "connect" / "copy" / f"{name}.py")} - {"sm_ssh_entry"}
    assert outside <= set(sys.stdlib_module_names) - IMPURE
