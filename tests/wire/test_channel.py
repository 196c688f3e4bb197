from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError
from sm_ssh_entry.wire.events import Deadline
from sm_ssh_entry.wire.message import PayloadType
from sm_ssh_entry.wire.payloads import (
    Acknowledge,
    Flag,
    SessionFlag,
    SessionState,
)
from sm_ssh_entry.wire.states import State
from tests.wire.frames import output, receipts, sent, service, shell_client, typed
from tests.wire.pair import ConnectionPair, make_agent, make_client, shaken


class TestStream:
    def test_messages_are_cut_at_the_size_asked_for(self) -> None:
        client = shell_client(max_payload=4)
        client.send_data(memoryview(b"0123456789"), 1.0)
        messages = sent(client)
        assert [one.payload for one in messages] == [b"0123", b"4567", b"89"]
        assert [one.sequence_number for one in messages] == [0, 1, 2]
        assert {one.flags for one in messages} == {0}
        assert client.max_payload == 4

    def test_old_numbers_are_acknowledged_again_in_both_roles(self) -> None:
        client = shell_client()
        assert client.receive(output(0, b"$"), 1.0) == []
        assert receipts(sent(client)) == [0]
        agent = make_agent(session_type="Standard_Stream")
        agent.receive(typed(0, b"x"), 0.0)
        agent.frames_to_send()
        assert agent.receive(typed(0, b"x"), 1.0) == []
        assert receipts(sent(agent)) == [0]

    def test_what_comes_early_is_acknowledged_and_held(self) -> None:
        client = shell_client()
        assert client.receive(output(2, b"c"), 1.0) == []
        assert client.receive(output(3, b"d", PayloadType.STDERR), 1.0) == []
        assert receipts(sent(client)) == [2, 3]
        found = client.receive(output(1, b"b"), 1.0)
        assert found == [
            ev.DataReceived(b"b", PayloadType.OUTPUT),
            ev.DataReceived(b"c", PayloadType.OUTPUT),
            ev.DataReceived(b"d", PayloadType.STDERR),
        ]
        assert receipts(sent(client)) == [1]
        assert client.held_bytes == 0

    def test_malformed_payload_changes_nothing_and_gets_no_receipt(self) -> None:
        agent = make_agent(session_type="Standard_Stream")
        agent.receive(typed(0, b"x"), 0.0)
        agent.frames_to_send()
        for number in (1, 2):
            with pytest.raises(RemoteProtocolError):
                agent.receive(typed(number, b"not json", PayloadType.SIZE), 0.0)
        assert sent(agent) == []
        assert agent.receive(typed(1, b'{"cols":80,"rows":24}', PayloadType.SIZE), 0.0) == [ev.SizeReceived(80, 24)]

    def test_the_wrong_direction_is_malformed(self) -> None:
        with pytest.raises(RemoteProtocolError):
            make_client().receive(typed(0, b"x"), 0.0)
        with pytest.raises(RemoteProtocolError):
            make_agent().receive(output(0, b"x"), 0.0)

    def test_not_accepting_means_no_receipts_and_then_all_of_them(self) -> None:
        client = shell_client()
        client.accepting = False
        assert client.receive(output(1, b"a"), 1.0) == []
        assert client.receive(output(2, b"b"), 1.0) == []
        assert client.receive(output(1, b"a"), 1.5) == []  # sent again: still no receipt
        assert sent(client) == []
        idle = client.next_deadline()
        client.accepting = True
        assert (idle, client.next_deadline()) == (None, 0.0)
        assert client.tick(2.0) == [
            ev.DataReceived(b"a", PayloadType.OUTPUT),
            ev.DataReceived(b"b", PayloadType.OUTPUT),
        ]
        assert receipts(sent(client)) == [1, 2]

    def test_receipts_are_still_taken_while_not_accepting(self) -> None:
        client = shell_client()
        client.send_data(b"x", 1.0)
        (message,) = sent(client)
        client.accepting = False
        receipt = Acknowledge(message.message_type, str(message.message_id), 0)
        client.receive(service("acknowledge", receipt.encode()), 1.1)
        assert client.unacknowledged == 0

    def test_the_peer_of_one_who_does_not_accept_stops_at_its_window(self) -> None:
        pair = shaken(ConnectionPair(make_client(), make_agent(window=8)))
        pair.client.accepting = False
        pair.sources[Role.AGENT] = memoryview(bytes(1024 * 100))
        pair.advance(30.0)
        assert pair.agent.unacknowledged == 8
        assert pair.client.held_bytes <= 8 * (1024 + 256)
        pair.client.accepting = True
        pair.run(lambda: len(pair.received(Role.CLIENT)) == 1024 * 100)

    def test_no_room_no_receipt(self) -> None:
        client = shell_client()
        numbers = range(2, 30)
        for number in numbers:
            client.receive(output(number, bytes(1 << 20)), 1.0)
        assert receipts(sent(client)) == list(range(2, 17))
        assert client.receive(output(1, b"in turn"), 1.0)[0] == ev.DataReceived(b"in turn", PayloadType.OUTPUT)

    def test_an_empty_message_takes_its_turn_and_is_no_event(self) -> None:
        client = shell_client()
        empty = bytearray(output(1, b"x")[:-1])
        empty[116:120] = bytes(4)
        assert client.receive(bytes(empty), 1.0) == []
        assert receipts(sent(client)) == [1]

    def test_exit_code_and_standard_error(self) -> None:
        pair = shaken(ConnectionPair(make_client(), make_agent(session_type="NonInteractiveCommands")))
        pair.agent.send_data(b"out", pair.now)
        pair.agent.send_data(b"err", pair.now, stderr=True)
        pair.agent.send_exit_code(3, pair.now)
        pair.settle()
        assert pair.received(Role.CLIENT) == b"out"
        assert pair.received(Role.CLIENT, PayloadType.STDERR) == b"err"
        assert pair.events[Role.CLIENT][-1] == ev.ExitCodeReceived(3)


class TestPause:
    def make(self) -> DataChannel:
        agent = make_agent(session_type="Standard_Stream")
        agent.send_data(b"a", 0.0)
        agent.frames_to_send()
        assert agent.receive(service("pause_publication"), 1.0) == [ev.Paused()]
        return agent

    def test_while_paused_nothing_of_the_stream_goes_out_and_nothing_is_lost(self) -> None:
        agent = self.make()
        agent.send_data(b"b", 1.0)
        assert agent.receive(service("pause_publication"), 1.0) == []
        assert agent.tick(9.0) == []
        assert sent(agent) == []
        assert agent.next_deadline() is None
        assert agent.receive(service("start_publication"), 10.0) == [ev.Resumed()]
        assert [one.payload for one in sent(agent)] == [b"b"]
        assert agent.receive(service("start_publication"), 10.0) == []

    def test_any_stream_message_ends_a_pause(self) -> None:
        agent = self.make()
        agent.send_data(b"b", 1.0)
        assert agent.receive(typed(0, b"x"), 2.0) == [ev.Resumed(), ev.DataReceived(b"x", PayloadType.OUTPUT)]

    def test_any_receipt_ends_a_pause(self) -> None:
        agent = self.make()
        agent.send_data(b"b", 1.0)
        assert agent.receive(service("acknowledge", Acknowledge("x", "", 0).encode()), 2.0) == [ev.Resumed()]
        assert [one.payload for one in sent(agent)] == [b"b"]

    def test_malformed_frames_do_not(self) -> None:
        agent = self.make()
        for frame in (typed(0, b"x", PayloadType.SIZE), service("acknowledge", b"{}")):
            with pytest.raises(RemoteProtocolError):
                agent.receive(frame, 2.0)
        agent.send_data(b"b", 2.0)
        assert sent(agent) == []

    def test_a_new_connection_ends_a_pause(self) -> None:
        agent = self.make()
        agent.connected(1.0)
        agent.send_data(b"b", 1.0)
        agent.connected(2.0)
        assert [one.payload for one in sent(agent)] == [b"a", b"b"]

    def test_a_client_heeds_neither(self) -> None:
        client = shell_client()
        assert client.receive(service("pause_publication"), 1.0) == []
        client.send_data(b"x", 1.0)
        assert len(sent(client)) == 1
        assert client.receive(service("start_publication"), 1.0) == []


class TestReconnecting:
    def test_all_without_a_receipt_goes_out_again_after_receipts_still_to_be_sent(self) -> None:
        client = shell_client()
        client.send_data(b"a", 1.0)
        client.frames_to_send()  # lost with the connection
        client.send_data(b"b", 1.0)
        client.receive(output(1, b"x"), 1.0)
        client.connected(2.0)
        messages = sent(client)
        assert receipts(messages[:1]) == [1]
        assert [one.payload for one in messages[1:]] == [b"a", b"b"]


class TestDeadlines:
    def test_a_session_that_does_not_start(self) -> None:
        client = make_client(start_timeout=20.0)
        client.connected(100.0)
        assert client.next_deadline() == 120.0
        assert client.tick(119.9) == []
        assert client.tick(120.0) == [ev.DeadlinePassed(Deadline.START)]
        assert client.tick(200.0) == []

    def test_a_handshake_or_output_is_a_start(self) -> None:
        client = make_client(start_timeout=20.0)
        client.connected(0.0)
        client.receive(output(0, b"$"), 19.0)
        assert client.next_deadline() is None
        pair = shaken(ConnectionPair(make_client(start_timeout=20.0), make_agent()))
        pair.advance(60.0)
        assert pair.of_kind(Role.CLIENT, ev.DeadlinePassed) == []

    def test_no_output_after_the_handshake(self) -> None:
        pair = shaken(ConnectionPair(make_client(first_output_timeout=10.0), make_agent()))
        pair.advance(11.0)
        assert pair.of_kind(Role.CLIENT, ev.DeadlinePassed) == [ev.DeadlinePassed(Deadline.FIRST_OUTPUT)]

    def test_output_in_time(self) -> None:
        pair = shaken(ConnectionPair(make_client(first_output_timeout=10.0), make_agent()))
        pair.agent.send_data(b"SSH-2.0", pair.now)
        pair.advance(11.0)
        assert pair.of_kind(Role.CLIENT, ev.DeadlinePassed) == []

    def test_a_peer_that_does_not_acknowledge(self) -> None:
        client = shell_client(give_up_after=30.0)
        client.send_data(b"x", 10.0)
        client.frames_to_send()
        found: list[ev.Event] = []
        while (due := client.next_deadline()) is not None and due < 100.0:
            found += client.tick(due)
            if found:
                break
            client.frames_to_send()
        assert found == [ev.DeadlinePassed(Deadline.ACKNOWLEDGEMENT)]
        assert due == 40.0

    def test_none_means_never(self) -> None:
        client = make_client(start_timeout=None, handshake_timeout=None, give_up_after=None)
        client.connected(0.0)
        assert client.next_deadline() is None
        agent = make_agent(handshake_timeout=None)
        agent.start_handshake(0.0)
        assert agent.tick(1e6) == []  # an agent resends for ever


class TestMisuse:
    def test_each_role_sends_its_own(self) -> None:
        client, agent = make_client(), make_agent()
        calls: list[Callable[[], None]] = [
            lambda: client.send_data(b"x", 0.0, stderr=True),
            lambda: client.send_exit_code(0, 0.0),
            lambda: client.send_session_state("Connected", 0.0),
            lambda: client.start_handshake(0.0),
            lambda: agent.send_size(1, 1, 0.0),
        ]
        for call in calls:
            with pytest.raises(LocalProtocolError):
                call()
        assert client.frames_to_send() == agent.frames_to_send() == []

    @pytest.mark.parametrize("options", [{"max_payload": 0}, {"max_payload": 1 << 21}, {"window": 0}])
    def test_sizes_are_checked(self, options: dict[str, int]) -> None:
        with pytest.raises(LocalProtocolError):
            make_client(**options)


class TestOtherMessages:
    def test_a_session_state_that_slips_through(self) -> None:
        state = SessionState("Terminating", "s-1").encode()
        assert make_client().receive(service("agent_session_state", state), 0.0) == [ev.PeerState("Terminating")]

    def test_an_unknown_type_is_dropped_and_said(self) -> None:
        assert make_client().receive(service("brand_new"), 0.0) == [ev.MessageIgnored("message type brand_new")]

    @pytest.mark.parametrize("kind", ["acknowledge", "channel_closed", "agent_session_state"])
    def test_malformed_ones(self, kind: str) -> None:
        client = make_client()
        with pytest.raises(RemoteProtocolError):
            client.receive(service(kind, b"rubbish"), 0.0)
        assert client.state is State.OPENING


def test_the_log_has_arrows_and_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="sm_ssh_entry.wire")
    pair = shaken(ConnectionPair(make_client(), make_agent()))
    pair.client.send_data(b"hunter2", pair.now)
    pair.agent.send_session_state("Connected", pair.now)
    pair.client.send_flag(Flag(SessionFlag.TERMINATE_SESSION).value, pair.now)
    pair.settle()
    lines = [record.getMessage() for record in caplog.records]
    assert {line[0] for line in lines} == {"<", ">", "="}
    assert "> input_stream_data seq=1 type=1 bytes=7" in lines
    assert "< input_stream_data seq=1 type=1 bytes=7" in lines
    assert "= client established -> closing" in lines
    assert not any("hunter2" in line for line in lines)
