from __future__ import annotations

import pytest

from sm_ssh_entry.wire import stream
from sm_ssh_entry.wire.errors import LocalProtocolError
from sm_ssh_entry.wire.stream import BURST, MAX_RTO, START_RTO, WAKE, Receiver, Sender


def store(sender: Sender, count: int, now: float = 0.0, *, sent: bool = True) -> list[bytes]:
    frames = []
    for _ in range(count):
        frames.append(b"frame %d" % sender.next_sequence)
        sender.store(frames[-1], now, sent=sent)
    return frames


def deadline(sender: Sender) -> float:
    due = sender.next_deadline()
    assert due is not None
    return due


class TestTimer:
    def test_nothing_is_due_before_the_timeout_and_then_the_oldest_is(self) -> None:
        sender = Sender(64)
        frames = store(sender, 2)
        assert deadline(sender) == START_RTO
        assert sender.overdue(START_RTO - 0.001) == []
        assert sender.overdue(START_RTO) == frames[:1]

    def test_without_receipts_only_the_oldest_is_sent_again_and_with_them_a_burst(self) -> None:
        sender = Sender(64)
        frames = store(sender, 40)
        for _ in range(3):
            assert sender.overdue(deadline(sender)) == frames[:1]
        heard = 0.95
        sender.acknowledge(0, heard)
        assert deadline(sender) <= heard + WAKE
        assert sender.overdue(heard + WAKE) == frames[1 : 1 + BURST]
        assert sender.overdue(deadline(sender)) == frames[1:2]

    def test_the_timer_wakes_at_most_every_100_ms(self) -> None:
        sender = Sender(64)
        store(sender, 3)
        sender.acknowledge(0, 0.0001)
        previous = 0.0
        for _ in range(20):
            due = deadline(sender)
            assert round(due - previous, 6) >= WAKE
            sender.overdue(due)
            previous = due

    def test_it_backs_off_and_recovers_with_a_fresh_sample(self) -> None:
        sender = Sender(64)
        store(sender, 1)
        now = 0.0
        for _ in range(6):
            now = deadline(sender)
            sender.overdue(now)
        assert sender.rto == MAX_RTO
        sender.acknowledge(0, now)
        store(sender, 1, now)
        sender.acknowledge(1, now + 0.01)
        assert sender.rto < MAX_RTO

    def test_a_message_that_is_never_acknowledged_is_sent_ever_more_seldom(self) -> None:
        sender = Sender(64)
        store(sender, 1)
        gaps = []
        now = 0.0
        for _ in range(20):
            due = deadline(sender)
            gaps.append(round(due - now, 6))
            now = due
            assert sender.overdue(now) == [b"frame 0"]
        assert gaps[-1] == stream.MAX_RESEND_INTERVAL
        assert gaps == sorted(gaps)

    def test_no_messages_no_deadline(self) -> None:
        sender = Sender(64)
        assert sender.next_deadline() is None
        assert sender.overdue(99) == []
        store(sender, 1)
        sender.acknowledge(0, 0.1)
        assert sender.next_deadline() is None
        assert sender.overdue(99) == []


class TestRoundTrip:
    def test_the_official_formula(self) -> None:
        sender = Sender(64)
        store(sender, 1)
        sender.acknowledge(0, 0.06)
        # rtt 100 ms, variation 0, sample 60 ms
        assert sender.rtt_variation == pytest.approx(0.25 * 0.04)
        assert sender.rtt == pytest.approx(0.875 * 0.1 + 0.125 * 0.06)
        assert sender.rto == pytest.approx(0.095 + 4 * 0.01)

    def test_the_timeout_has_a_floor_above_the_round_trip_and_a_ceiling(self) -> None:
        sender = Sender(64)
        for number in range(200):
            store(sender, 1, number)
            sender.acknowledge(number, number + 0.05)
        assert sender.rto == pytest.approx(sender.rtt + 0.01, abs=1e-3)
        store(sender, 1, 1000)
        sender.acknowledge(200, 1900)
        assert sender.rto == MAX_RTO

    def test_no_sample_from_a_message_that_was_sent_twice(self) -> None:
        sender = Sender(64)
        store(sender, 1)
        sender.overdue(0.2)
        before = (sender.rtt, sender.rtt_variation)
        sender.acknowledge(0, 0.2001)
        assert (sender.rtt, sender.rtt_variation) == before

    def test_a_repeated_or_unknown_receipt_changes_nothing(self) -> None:
        sender = Sender(64)
        store(sender, 1)
        sender.acknowledge(0, 0.1)
        before = (sender.rtt, sender.rto, len(sender))
        sender.acknowledge(0, 0.5)
        sender.acknowledge(77, 0.5)
        assert (sender.rtt, sender.rto, len(sender)) == before


class TestLoss:
    def test_three_later_receipts_prove_a_loss(self) -> None:
        sender = Sender(64)
        frames = store(sender, 6)
        found = []
        for number in (1, 2, 3, 4):
            sender.acknowledge(number, 0.01)
            found.append(sender.lost(0.01))
        assert found == [[], [], [frames[0]], []]  # once, until there is evidence later than the resend

    def test_a_lost_resend_is_proved_by_still_later_messages(self) -> None:
        sender = Sender(64)
        frames = store(sender, 4)
        for number in (1, 2, 3):
            sender.acknowledge(number, 0.01)
        assert sender.lost(0.01) == [frames[0]]
        store(sender, 3, 0.02)
        for number in (4, 5, 6):
            sender.acknowledge(number, 0.03)
        assert sender.lost(0.03) == [frames[0]]

    def test_receipts_in_order_prove_nothing(self) -> None:
        sender = Sender(64)
        store(sender, 50)
        for number in range(50):
            sender.acknowledge(number, 0.01)
            assert sender.lost(0.01) == []

    def test_the_receipt_of_a_resent_message_is_no_evidence(self) -> None:
        sender = Sender(64)
        store(sender, 8)
        sender.overdue(0.2)
        for number in (0, 5, 6):
            sender.acknowledge(number, 0.21)
        assert sender.lost(0.21) == []
        sender.acknowledge(7, 0.21)
        assert len(sender.lost(0.21)) == 4

    def test_a_message_a_silent_peer_has_had_leaves_the_window(self) -> None:
        """The official plugin says nothing about a number it has had: the window must not fill with such."""
        sender = Sender(8)
        sent = store(sender, 1)
        resent = 0
        for _ in range(20):
            first = sender.next_sequence
            store(sender, 3)
            for number in range(first, first + 3):
                sender.acknowledge(number, 0.01)
            resent += len(sender.lost(0.01))
        assert resent == stream.MAX_QUICK_RESENDS
        assert len(sender) == len(sent)
        store(sender, 7)
        room = sender.writable
        store(sender, 1)
        assert (room, sender.writable) == (True, False)


class TestWindow:
    def test_writable_until_the_window_is_full(self) -> None:
        sender = Sender(4)
        store(sender, 3)
        room = [sender.writable]
        store(sender, 1)
        room.append(sender.writable)
        sender.acknowledge(2, 0.1)
        room.append(sender.writable)
        assert room == [True, False, True]

    def test_bounds(self) -> None:
        for window in (0, -1, stream.MAX_UNACKNOWLEDGED):
            with pytest.raises(LocalProtocolError):
                Sender(window)
        sender = Sender(1)
        store(sender, stream.MAX_UNACKNOWLEDGED)
        with pytest.raises(LocalProtocolError):
            store(sender, 1)


class TestPauseAndReconnect:
    def test_what_was_stored_during_a_pause_goes_out_once_and_then_has_a_timer(self) -> None:
        sender = Sender(64)
        sent = store(sender, 1)
        kept = store(sender, 2, 1.0, sent=False)
        assert sender.overdue(1.0) == sent  # never what was not sent at all
        assert sender.unsent(5.0) == kept
        assert sender.unsent(5.0) == []
        assert deadline(sender) > 5.0
        sender.acknowledge(1, 5.02)
        assert sender.rtt < stream.START_RTT  # sampled from when it was sent, not stored

    def test_what_was_not_sent_is_not_lost(self) -> None:
        sender = Sender(64)
        store(sender, 3)
        store(sender, 1, sent=False)
        for number in range(3):
            sender.acknowledge(number, 0.01)
        assert sender.lost(0.01) == []

    def test_a_receipt_for_what_was_never_sent_gives_no_sample(self) -> None:
        sender = Sender(64)
        store(sender, 1, sent=False)
        sender.acknowledge(0, 50.0)
        assert sender.rtt == stream.START_RTT
        assert len(sender) == 0

    def test_a_new_connection_gets_everything_in_order_and_a_free_window(self) -> None:
        sender = Sender(4)
        frames = store(sender, 4)
        sender.acknowledge(1, 0.01)
        kept = store(sender, 1, sent=False)
        assert sender.everything(9.0) == [frames[0], frames[2], frames[3], *kept]
        assert deadline(sender) == 9.0 + sender.rto
        before = sender.rtt
        sender.acknowledge(0, 9.5)
        assert sender.rtt == before
        store(sender, 3)
        assert sender.writable

    def test_stalled_since(self) -> None:
        sender = Sender(4)
        seen = [sender.stalled_since]
        store(sender, 2, 3.0)
        seen.append(sender.stalled_since)
        sender.acknowledge(0, 4.0)
        seen.append(sender.stalled_since)
        sender.everything(8.0)
        seen.append(sender.stalled_since)
        sender.acknowledge(1, 9.0)
        seen.append(sender.stalled_since)
        assert seen == [None, 3.0, 4.0, 8.0, None]


class TestReceiver:
    def test_holding_and_taking_in_order(self) -> None:
        receiver: Receiver[str] = Receiver()
        assert receiver.hold(2, "c", 1, acknowledge=True)
        assert receiver.hold(1, "b", 1, acknowledge=True)
        assert receiver.peek() is None
        receiver.advance()
        assert [receiver.take() for _ in range(2)] == [("b", True), ("c", True)]
        assert receiver.expected == 3
        assert (len(receiver), receiver.held_bytes) == (0, 0)

    def test_a_copy_is_acknowledged_again_and_not_kept_again(self) -> None:
        receiver: Receiver[str] = Receiver()
        assert not receiver.hold(0, "first", 5, acknowledge=False)
        size = receiver.held_bytes
        assert receiver.hold(0, "second", 5, acknowledge=True)
        assert receiver.hold(0, "third", 5, acknowledge=False)
        assert receiver.held_bytes == size
        assert receiver.take() == ("first", True)

    def test_advancing_drops_a_held_copy(self) -> None:
        receiver: Receiver[str] = Receiver()
        receiver.hold(0, "held", 5, acknowledge=False)
        receiver.advance()
        assert (receiver.expected, len(receiver), receiver.held_bytes) == (1, 0, 0)

    def test_no_room_no_receipt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stream, "MAX_HELD_MESSAGES", 2)
        receiver: Receiver[str] = Receiver()
        assert receiver.hold(1, "a", 1, acknowledge=True)
        assert receiver.hold(2, "b", 1, acknowledge=True)
        assert not receiver.hold(3, "c", 1, acknowledge=True)
        assert receiver.hold(2, "b", 1, acknowledge=True)

    def test_no_room_in_bytes(self) -> None:
        receiver: Receiver[None] = Receiver()
        number = 1
        while receiver.hold(number, None, 1 << 20, acknowledge=True):
            number += 1
        assert receiver.held_bytes <= stream.MAX_HELD_BYTES
        assert number == 16
