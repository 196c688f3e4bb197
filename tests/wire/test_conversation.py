from __future__ import annotations

import pytest

from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.channel import Role
from sm_ssh_entry.wire.conversation import FIRST_OUTPUT_GRACE
from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError
from sm_ssh_entry.wire.events import Deadline
from sm_ssh_entry.wire.message import Flags, MessageType, PayloadType, encode
from sm_ssh_entry.wire.payloads import (
    Acknowledge,
    ChannelClosed,
    HandshakeComplete,
    HandshakeRequest,
    HandshakeResponse,
    KmsAction,
    SessionFlag,
    SessionState,
    SessionTypeAction,
)
from sm_ssh_entry.wire.states import State
from tests.wire.frames import output, receipts, sent, service, shell_client, stream, typed
from tests.wire.pair import EPOCH, ConnectionPair, make_agent, make_client, shaken


class TestHandshake:
    def test_both_ends_tell_each_other_what_they_are(self) -> None:
        pair = shaken(
            ConnectionPair(
                make_client(client_version="1.2.3.4"), make_agent(agent_version="3.9.9.9", customer_message="Hello.")
            )
        )
        assert pair.events[Role.CLIENT] == [
            ev.HandshakeStarted("Port", {"portNumber": "22"}, "3.9.9.9"),
            ev.HandshakeCompleted("Hello.", "3.9.9.9"),
        ]
        assert pair.events[Role.AGENT] == [ev.HandshakeCompleted("Hello.", "1.2.3.4")]
        assert pair.client.state is pair.agent.state is State.ESTABLISHED
        assert (pair.client.peer_version, pair.agent.peer_version) == ("3.9.9.9", "1.2.3.4")
        assert pair.client.unacknowledged == pair.agent.unacknowledged == 0

    def test_the_frames_on_the_wire(self) -> None:
        client, agent = make_client(), make_agent(session_type="NonInteractiveCommands", properties=None)
        agent.start_handshake(0.0)
        (request,) = sent(agent)
        assert (request.message_type, request.sequence_number) == (MessageType.OUTPUT_STREAM_DATA, 0)
        assert request.flags == Flags.SYN
        assert request.created_ms == int(EPOCH * 1000)
        action = SessionTypeAction("NonInteractiveCommands", None)
        assert HandshakeRequest.decode(request.payload) == HandshakeRequest("3.3.0.0", (action,))
        client.receive(encode(request), 0.5)
        receipt, response = sent(client)  # the receipt first, as the plugin does
        assert (receipt.message_type, receipt.flags) == (MessageType.ACKNOWLEDGE, Flags.SYN | Flags.FIN)
        assert Acknowledge.decode(receipt.payload) == Acknowledge("output_stream_data", str(request.message_id), 0)
        assert (response.message_type, response.flags) == (MessageType.INPUT_STREAM_DATA, 0)
        agent.receive(encode(response), 1.5)
        _, complete = sent(agent)
        assert (complete.sequence_number, complete.flags) == (1, 0)
        assert HandshakeComplete.decode(complete.payload).time_to_complete_ns == 1_500_000_000

    def test_a_kms_key_is_refused_and_the_session_with_it(self) -> None:
        client = make_client()
        request = HandshakeRequest("3.3.0.0", (SessionTypeAction("Standard_Stream"), KmsAction("arn:key", "Y2g=")))
        found = client.receive(output(0, request.encode(), PayloadType.HANDSHAKE_REQUEST), 0.0)
        response = HandshakeResponse.decode(sent(client)[1].payload)
        assert [(one.action_type, one.status) for one in response.actions] == [("SessionType", 1), ("KMSEncryption", 3)]
        assert isinstance(found[0], ev.HandshakeStarted)
        assert isinstance(found[1], ev.HandshakeFailed)
        assert "KMS" in found[1].reason
        agent = make_agent()
        agent.start_handshake(0.0)
        (failed,) = agent.receive(typed(0, response.encode(), PayloadType.HANDSHAKE_RESPONSE), 0.1)
        assert isinstance(failed, ev.HandshakeFailed)
        assert agent.state is State.CLOSED
        assert agent.next_deadline() is None

    def test_an_agent_waits_15_seconds_and_no_longer(self) -> None:
        agent = make_agent()
        agent.start_handshake(10.0)
        assert agent.tick(24.9) == []
        assert agent.tick(25.0) == [ev.DeadlinePassed(Deadline.HANDSHAKE)]
        assert agent.state is State.CLOSED
        assert agent.tick(99.0) == []
        with pytest.raises(LocalProtocolError):
            agent.send_data(b"x", 99.0)

    def test_a_client_says_when_the_handshake_is_not_finished_and_goes_on(self) -> None:
        client = make_client(handshake_timeout=5.0)
        client.connected(0.0)
        request = HandshakeRequest("3", (SessionTypeAction("Port"),)).encode()
        client.receive(output(0, request, PayloadType.HANDSHAKE_REQUEST), 1.0)
        assert ev.DeadlinePassed(Deadline.HANDSHAKE) in client.tick(6.0)
        complete = client.receive(output(1, HandshakeComplete().encode(), PayloadType.HANDSHAKE_COMPLETE), 7.0)
        assert complete == [ev.HandshakeCompleted("", "3")]

    def test_data_of_an_agent_waits_for_its_handshake(self) -> None:
        agent = make_agent()
        for _ in range(2):
            with pytest.raises(LocalProtocolError):
                agent.send_data(b"x", 0.0)
            if agent.state is State.OPENING:
                agent.start_handshake(0.0)
        with pytest.raises(LocalProtocolError):
            agent.start_handshake(0.0)

    def test_input_that_comes_before_the_handshake_is_kept_and_gets_no_receipt_until_then(self) -> None:
        """The official agent acknowledges such input and throws it away."""
        agent = make_agent()
        agent.start_handshake(0.0)
        agent.frames_to_send()
        response = make_client()
        assert agent.receive(typed(1, b"early"), 0.0) == []
        assert receipts(sent(agent)) == [1]  # out of order: it is held anyway
        request = HandshakeRequest("3", (SessionTypeAction("Port"),)).encode()
        response.receive(output(0, request, PayloadType.HANDSHAKE_REQUEST), 0.0)
        answer = sent(response)[1]
        found = agent.receive(encode(answer), 0.1)
        assert [type(event) for event in found] == [ev.HandshakeCompleted, ev.DataReceived]

    def test_input_in_its_turn_before_the_handshake_gets_no_receipt(self) -> None:
        agent = make_agent()
        assert agent.receive(typed(0, b"early"), 0.0) == []
        assert sent(agent) == []
        assert agent.held_bytes > 0

    @pytest.mark.parametrize(
        ("payload_type", "payload"),
        [
            (PayloadType.HANDSHAKE_COMPLETE, HandshakeComplete().encode()),
            (PayloadType.HANDSHAKE_RESPONSE, HandshakeResponse("1", ()).encode()),
            (PayloadType.ENC_CHALLENGE_REQUEST, b'{"Challenge":""}'),
            (PayloadType.SIZE, b'{"cols":1,"rows":1}'),
            (PayloadType.PARAMETER, b"x"),
            (4711, b"x"),
        ],
    )
    def test_what_has_no_place_is_acknowledged_and_dropped(self, payload_type: int, payload: bytes) -> None:
        client = make_client()
        (ignored,) = client.receive(output(0, payload, payload_type), 0.0)
        assert isinstance(ignored, ev.MessageIgnored)
        assert receipts(sent(client)) == [0]
        assert client.state is State.OPENING

    def test_a_request_that_does_not_say_what_the_session_is(self) -> None:
        client = make_client()
        request = output(0, HandshakeRequest("3", ()).encode(), PayloadType.HANDSHAKE_REQUEST)
        assert client.receive(request, 0.0) == [ev.HandshakeFailed("SessionType: not answered")]

    def test_after_a_refusal_nothing_that_was_kept_is_given_out(self) -> None:
        agent = make_agent()
        agent.start_handshake(0.0)
        agent.receive(typed(1, b"early"), 0.0)
        response = HandshakeResponse("1", ()).encode()
        (failed,) = agent.receive(typed(0, response, PayloadType.HANDSHAKE_RESPONSE), 0.0)
        assert isinstance(failed, ev.HandshakeFailed)


class TestShell:
    def test_the_first_output_says_that_there_is_no_handshake(self) -> None:
        pair = ConnectionPair(make_client(), make_agent(session_type="Standard_Stream", properties=None))
        pair.client.send_size(132, 43, 0.0)
        pair.client.send_data(b"ls\n", 0.0)
        assert not pair.client.writable
        pair.agent.send_data(b"$ ", 0.0)
        pair.settle()
        assert pair.events[Role.CLIENT] == [ev.HandshakeSkipped(), ev.DataReceived(b"$ ", PayloadType.OUTPUT)]
        assert pair.events[Role.AGENT] == [
            ev.SizeReceived(132, 43),
            ev.DataReceived(b"ls\n", PayloadType.OUTPUT),
        ]

    def test_a_client_may_know_beforehand(self) -> None:
        pair = ConnectionPair(make_client(), make_agent(session_type="InteractiveCommands"))
        pair.client.send_data(b"early", 0.0)
        pair.client.start_without_handshake(0.0)
        pair.settle()
        assert pair.received(Role.AGENT) == b"early"
        pair.advance(60.0)
        assert pair.of_kind(Role.CLIENT, ev.DeadlinePassed) == []

    def test_line_feeds_are_left_alone(self) -> None:
        """The official plugin turns a payload that is one line feed into a carriage return."""
        client = shell_client()
        client.send_data(b"\n", 1.0)
        assert [one.payload for one in sent(client)] == [b"\n"]

    def test_no_data_no_message(self) -> None:
        client = shell_client()
        client.send_data(b"", 1.0)
        assert sent(client) == []
        assert client.receive(stream(MessageType.OUTPUT_STREAM_DATA, 1, 99, b"x"), 1.0)


class TestInputGate:
    def test_input_is_held_until_the_first_output(self) -> None:
        pair = shaken(ConnectionPair(make_client(hold_input_until_first_output=True), make_agent()))
        pair.client.send_data(b"SSH-2.0-client", pair.now)
        held = pair.client.writable
        pair.settle()
        assert pair.received(Role.AGENT) == b""
        pair.agent.send_data(b"SSH-2.0-server", pair.now)
        pair.settle()
        assert (held, pair.client.writable) == (False, True)
        assert pair.received(Role.AGENT) == b"SSH-2.0-client"

    def test_or_for_a_moment_when_the_server_does_not_speak_first(self) -> None:
        pair = shaken(ConnectionPair(make_client(hold_input_until_first_output=True), make_agent()))
        pair.client.send_data(b"GET /", pair.now)
        pair.advance(FIRST_OUTPUT_GRACE * 0.9)
        early = pair.received(Role.AGENT)
        pair.advance(FIRST_OUTPUT_GRACE)
        assert (early, pair.received(Role.AGENT)) == (b"", b"GET /")

    def test_without_the_option_it_goes_out_with_the_handshake(self) -> None:
        pair = ConnectionPair(make_client(), make_agent())
        pair.client.send_data(b"early", 0.0)
        shaken(pair)
        assert pair.received(Role.AGENT) == b"early"

    def test_the_end_overtakes_it_and_drops_it(self) -> None:
        client = make_client()
        client.send_data(b"held", 0.0)
        client.send_flag(SessionFlag.TERMINATE_SESSION, 0.0)
        (only,) = sent(client)
        assert (only.payload_type, only.sequence_number) == (PayloadType.FLAG, 0)
        assert client.state is State.CLOSING

    def test_other_flags_queue_behind_it(self) -> None:
        client = make_client()
        client.send_data(b"held", 0.0)
        client.send_flag(SessionFlag.DISCONNECT_TO_PORT, 0.0)
        client.receive(output(0, b"$"), 0.0)
        assert [one.payload_type for one in sent(client)[1:]] == [PayloadType.OUTPUT, PayloadType.FLAG]


class TestClosing:
    def test_the_service_closes_and_nothing_happens_any_more(self) -> None:
        client = shell_client()
        closed = ChannelClosed("u", "s-1", "Session over.").encode()
        assert client.receive(service("channel_closed", closed), 1.0) == [ev.ChannelClosed("Session over.")]
        assert client.state is State.CLOSED
        assert client.receive(output(1, b"late"), 1.0) == []
        assert client.receive(service("channel_closed", closed), 1.0) == []
        assert sent(client) == []
        assert not client.writable
        with pytest.raises(RemoteProtocolError):
            client.receive(b"rubbish", 1.0)
        with pytest.raises(LocalProtocolError):
            client.send_data(b"x", 1.0)

    def test_before_anything_else_too(self) -> None:
        client = make_client()
        client.connected(0.0)
        client.receive(service("channel_closed"), 1.0)
        assert client.next_deadline() is None
        with pytest.raises(LocalProtocolError):
            client.send_data(b"x", 1.0)
        with pytest.raises(LocalProtocolError):
            client.terminate(1.0)

    def test_a_client_ends_by_flag_and_still_gets_what_is_under_way(self) -> None:
        pair = shaken(ConnectionPair(make_client(), make_agent()))
        pair.agent.send_data(b"last words", pair.now)
        pair.client.terminate(pair.now)
        pair.settle()
        assert pair.received(Role.CLIENT) == b"last words"
        assert pair.events[Role.AGENT][-1] == ev.FlagReceived(SessionFlag.TERMINATE_SESSION)
        assert pair.client.state is pair.agent.state is State.CLOSING

    def test_an_agent_ends_by_telling_the_service(self) -> None:
        agent = make_agent(session_type="Standard_Stream")
        agent.send_session_state("Connected", 0.0)
        agent.terminate(1.0)
        states = [SessionState.decode(one.payload) for one in sent(agent)]
        assert states == [SessionState("Connected", "s-1"), SessionState("Terminating", "s-1")]
        assert agent.state is State.CLOSING

    def test_a_failed_handshake_can_still_be_told(self) -> None:
        agent = make_agent()
        agent.start_handshake(0.0)
        agent.tick(15.0)
        agent.frames_to_send()
        agent.terminate(15.0)
        assert [one.message_type for one in sent(agent)] == [MessageType.AGENT_SESSION_STATE]

    def test_other_flags_do_not_end_it(self) -> None:
        pair = shaken(ConnectionPair(make_client(), make_agent()))
        pair.client.send_flag(SessionFlag.DISCONNECT_TO_PORT, pair.now)
        pair.agent.send_flag(SessionFlag.CONNECT_TO_PORT_ERROR, pair.now)
        pair.settle()
        assert pair.events[Role.AGENT][-1] == ev.FlagReceived(1)
        assert pair.events[Role.CLIENT][-1] == ev.FlagReceived(3)
        assert pair.client.state is pair.agent.state is State.ESTABLISHED
