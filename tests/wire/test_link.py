from __future__ import annotations

from sm_ssh_entry.wire.link import Link
from sm_ssh_entry.wire.message import AgentMessage, Flags, MessageType, PayloadType, decode
from sm_ssh_entry.wire.payloads import Acknowledge
from tests.wire.pair import ids


def make() -> Link:
    return Link(
        outgoing=MessageType.OUTPUT_STREAM_DATA, first_flags=Flags.SYN, window=8, new_id=ids(), epoch=1_700_000_000.0
    )


def message(number: int, payload_type: int = PayloadType.OUTPUT) -> AgentMessage:
    return AgentMessage("input_stream_data", b"x", ids()(), 1, number, 0, payload_type)


def sent(link: Link) -> list[AgentMessage]:
    return [decode(frame) for frame in link.frames_to_send()]


def always(_: int) -> bool:
    return True


def never(_: int) -> bool:
    return False


def test_numbers_flags_and_dates() -> None:
    link = make()
    link.send(PayloadType.OUTPUT, b"a", 0.5)
    link.send(PayloadType.FLAG, b"\0\0\0\1", 1.0)
    link.send_message(MessageType.AGENT_SESSION_STATE, b"{}", 1.5)
    assert link.pending_frames == 3
    first, second, third = sent(link)
    assert [(one.sequence_number, one.flags) for one in (first, second, third)] == [(0, 1), (1, 0), (0, 3)]
    assert [one.created_ms for one in (first, second, third)] == [
        1_700_000_000_500,
        1_700_000_001_000,
        1_700_000_001_500,
    ]
    assert link.pending_frames == 0


def test_a_date_is_never_zero() -> None:
    link = Link(outgoing=MessageType.INPUT_STREAM_DATA, first_flags=Flags(0), window=8, new_id=ids(), epoch=-5.0)
    link.send(PayloadType.OUTPUT, b"a", 0.0)
    assert sent(link)[0].created_ms == 1


def test_readiness_is_asked_for_each_message_in_its_turn() -> None:
    link = make()
    asked: list[int] = []

    def once(payload_type: int) -> bool:
        asked.append(payload_type)
        return len(asked) == 1

    assert list(link.receive(message(1, PayloadType.FLAG), b"b", always, 0.0)) == []
    assert list(link.receive(message(0), b"a", once, 0.0)) == [(PayloadType.OUTPUT, b"a")]
    assert asked == [PayloadType.OUTPUT, PayloadType.FLAG]
    assert link.can_drain(always)
    assert not link.can_drain(never)
    assert list(link.drain(always, 0.0)) == [(PayloadType.FLAG, b"b")]


def test_a_message_is_acknowledged_before_it_is_given_out() -> None:
    link = make()
    taken = link.receive(message(0), b"a", always, 0.0)
    assert next(taken) == (PayloadType.OUTPUT, b"a")
    (receipt,) = sent(link)
    assert Acknowledge.decode(receipt.payload).sequence_number == 0


def test_pausing_keeps_stream_messages_only() -> None:
    link = make()
    link.paused = True
    link.send(PayloadType.OUTPUT, b"a", 0.0)
    link.send_message(MessageType.AGENT_SESSION_STATE, b"{}", 0.0)
    list(link.receive(message(0), b"x", always, 0.0))
    assert [one.message_type for one in sent(link)] == ["agent_session_state", "acknowledge"]
    assert (link.next_deadline(), link.stalled_since()) == (None, None)
    link.tick(100.0)
    assert link.pending_frames == 0
    assert link.resume(100.0)
    assert not link.resume(100.0)
    assert [one.payload for one in sent(link)] == [b"a"]
    assert link.next_deadline() is not None


def test_after_a_new_connection_receipts_come_first_and_nothing_twice() -> None:
    link = make()
    link.send(PayloadType.OUTPUT, b"a", 0.0)
    list(link.receive(message(0), b"x", always, 0.0))
    link.reconnected(1.0)
    assert [one.message_type for one in sent(link)] == ["acknowledge", "output_stream_data"]
