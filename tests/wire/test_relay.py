from __future__ import annotations

import logging

import pytest

from sm_ssh_entry.wire import relay as relay_module
from sm_ssh_entry.wire.channel import DataChannel, Role
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.events import ChannelClosed, Paused, PeerState
from sm_ssh_entry.wire.message import MessageType, PayloadType, decode
from sm_ssh_entry.wire.payloads import Acknowledge, Flag, SessionFlag, SessionState
from sm_ssh_entry.wire.payloads import ChannelClosed as ChannelClosedPayload
from sm_ssh_entry.wire.relay import Relay, Routed, Side
from tests.wire.frames import output, service, typed
from tests.wire.pair import ids, make_agent, make_client

PAUSE, START, CLOSED = MessageType.PAUSE_PUBLICATION, MessageType.START_PUBLICATION, MessageType.CHANNEL_CLOSED


def make() -> Relay:
    return Relay("s-1", new_id=ids(), wall_ms=lambda: 1_700_000_000_000, destination_id="mi-1")


def both() -> Relay:
    relay = make()
    relay.agent_joined()
    relay.client_joined()
    return relay


def kinds(routed: list[Routed]) -> list[tuple[Side, str]]:
    return [(side, decode(frame).message_type) for side, frame in routed]


def receipt(number: int) -> bytes:
    return service("acknowledge", Acknowledge("output_stream_data", "", number).encode())


class TestPassing:
    def test_stream_frames_and_receipts_pass_untouched(self) -> None:
        relay = both()
        for frame in (output(0, b"a"), receipt(0), output(0, b"a")):
            assert relay.from_agent(frame) == [(Side.CLIENT, frame)]
        for frame in (typed(0, b"a"), receipt(0)):
            assert relay.from_client(frame) == [(Side.AGENT, frame)]

    def test_a_client_that_says_goodbye_is_known_to_have_finished(self) -> None:
        relay = both()
        goodbye = Flag(SessionFlag.TERMINATE_SESSION).encode()
        for frame in (
            typed(0, goodbye),
            typed(1, Flag(SessionFlag.DISCONNECT_TO_PORT).encode(), PayloadType.FLAG),
            typed(2, b"2", PayloadType.FLAG),
        ):
            relay.from_client(frame)
        relay.from_agent(output(0, goodbye, PayloadType.FLAG))
        seen = [relay.client_finished]
        relay.from_client(typed(3, goodbye, PayloadType.FLAG))
        assert [*seen, relay.client_finished] == [False, True]

    def test_only_output_is_worth_waiting_for_a_client(self) -> None:
        relay = make()
        relay.agent_joined()
        relay.from_agent(receipt(0))
        seen = [relay.output_waits]
        relay.from_agent(output(0, b"last words"))
        seen.append(relay.output_waits)
        relay.client_joined()
        assert [*seen, relay.output_waits] == [False, True, False]

    def test_the_agents_state_is_for_the_service(self) -> None:
        relay = both()
        seen = [relay.agent_state]
        for state in ("Connected", "Terminating"):
            assert relay.from_agent(service("agent_session_state", SessionState(state, "s-1").encode())) == []
            seen.append(relay.agent_state)
        assert seen == ["", "Connected", "Terminating"]

    @pytest.mark.parametrize(
        "kind", [*sorted(set(MessageType) - {MessageType.INPUT_STREAM_DATA, MessageType.ACKNOWLEDGE}), "brand_new"]
    )
    def test_a_client_cannot_speak_as_the_service(self, kind: str) -> None:
        with pytest.raises(RemoteProtocolError):
            both().from_client(service(kind))

    @pytest.mark.parametrize("frame", [b"", b"rubbish" * 50, service("channel_closed"), typed(0, b"x")])
    def test_malformed_frames_are_their_senders_problem(self, frame: bytes) -> None:
        relay = both()
        with pytest.raises(RemoteProtocolError):
            relay.from_agent(frame)
        assert len(relay.from_agent(output(0, b"a"))) == 1
        assert len(relay.from_client(typed(0, b"a"))) == 1

    def test_a_malformed_state_is_malformed(self) -> None:
        relay = both()
        with pytest.raises(RemoteProtocolError):
            relay.from_agent(service("agent_session_state", b"rubbish"))
        assert relay.agent_state == ""


class TestWaiting:
    def test_what_comes_first_waits_for_the_peer_and_the_agent_pauses(self) -> None:
        relay = make()
        assert relay.agent_joined() == []
        request, again = output(0, b"request"), output(0, b"request again")
        assert kinds(relay.from_agent(request)) == [(Side.AGENT, PAUSE)]
        assert relay.from_agent(again) == []
        assert relay.waiting_frames == 1
        routed = relay.client_joined()
        assert routed[0] == (Side.CLIENT, request)
        assert kinds(routed[1:]) == [(Side.AGENT, START)]
        assert relay.waiting_frames == 0

    def test_a_client_who_is_first_waits_too(self) -> None:
        relay = make()
        assert relay.client_joined() == []
        frame = typed(0, b"x")
        assert relay.from_client(frame) == []
        assert relay.agent_joined() == [(Side.AGENT, frame)]

    def test_all_receipts_wait_though_they_have_no_numbers(self) -> None:
        relay = make()
        relay.agent_joined()
        frames = [receipt(0), receipt(1), receipt(2)]
        for frame in frames:
            assert relay.from_agent(frame) == []
        assert relay.client_joined() == [(Side.CLIENT, frame) for frame in frames]

    def test_the_buffer_has_limits_in_frames_and_bytes(self) -> None:
        relay = make()
        relay.agent_joined()
        for number in range(relay_module.MAX_WAITING_FRAMES + 10):
            relay.from_agent(output(number, b"x"))
        assert relay.waiting_frames == relay_module.MAX_WAITING_FRAMES
        relay = make()
        relay.agent_joined()
        for number in range(10):
            relay.from_agent(output(number, bytes(1 << 20)))
        assert relay.waiting_frames == 3

    def test_a_client_that_leaves_pauses_the_agent_until_it_is_back(self) -> None:
        relay = both()
        assert kinds(relay.client_left()) == [(Side.AGENT, PAUSE)]
        assert relay.client_left() == []
        late = output(5, b"in flight")
        assert relay.from_agent(late) == []
        routed = relay.client_joined()
        assert (routed[0], kinds(routed[1:])) == ((Side.CLIENT, late), [(Side.AGENT, START)])

    def test_an_agent_that_leaves_is_waited_for(self) -> None:
        relay = both()
        assert relay.agent_left() == []
        frame = typed(3, b"x")
        assert relay.from_client(frame) == []
        assert relay.agent_joined() == [(Side.AGENT, frame)]

    def test_an_agent_that_comes_back_while_nobody_is_there_is_paused_again(self) -> None:
        relay = both()
        relay.client_left()
        relay.agent_left()
        assert relay.agent_joined() == []
        assert kinds(relay.from_agent(output(0, b"x"))) == [(Side.AGENT, PAUSE)]

    def test_no_orders_to_an_agent_who_is_not_there(self) -> None:
        relay = both()
        relay.agent_left()
        assert relay.client_left() == []
        assert relay.client_joined() == []

    def test_input_ends_the_agents_pause_without_an_order(self) -> None:
        relay = both()
        relay.client_left()
        relay._present[Side.CLIENT] = True  # its websocket is back; its first frame overtakes the greeting
        relay.from_client(typed(0, b"x"))
        assert kinds(relay.client_joined()) == []


class TestTerminating:
    def test_both_are_told_and_then_nothing_passes(self) -> None:
        relay = both()
        routed = relay.terminate("Session over.")
        assert kinds(routed) == [(Side.AGENT, CLOSED), (Side.CLIENT, CLOSED)]
        message = decode(routed[1][1])
        closed = ChannelClosedPayload.decode(message.payload)
        assert (closed.session_id, closed.destination_id, closed.output) == ("s-1", "mi-1", "Session over.")
        assert closed.created_date == str(message.created_ms) == "1700000000000"
        assert relay.terminate("again") == []
        assert relay.from_agent(output(0, b"x")) == relay.from_client(typed(0, b"x")) == []
        assert relay.client_left() == []

    def test_who_joins_later_is_told_then(self) -> None:
        relay = make()
        relay.client_joined()
        relay.from_client(typed(0, b"x"))
        assert kinds(relay.terminate()) == [(Side.CLIENT, CLOSED)]
        assert relay.waiting_frames == 0
        assert kinds(relay.agent_joined()) == [(Side.AGENT, CLOSED)]


class TestWithTwoChannels:
    """The three roles together."""

    def deliver(self, relay: Relay, client: DataChannel, agent: DataChannel, routed: list[Routed]) -> list[object]:
        found: list[object] = []
        todo = list(routed)
        while True:
            for side, frame in todo:
                found += (agent if side is Side.AGENT else client).receive(frame, 0.0)
            todo = [one for frame in agent.frames_to_send() for one in relay.from_agent(frame)]
            todo += [one for frame in client.frames_to_send() for one in relay.from_client(frame)]
            if not todo:
                return found

    def test_a_session_from_joining_to_closing(self) -> None:
        relay, client, agent = make(), make_client(), make_agent()
        agent.send_session_state("Connected", 0.0)
        agent.start_handshake(0.0)
        found = self.deliver(relay, client, agent, relay.agent_joined())
        assert found == [Paused()]
        client.connected(0.0)
        found = self.deliver(relay, client, agent, relay.client_joined())
        assert not any(isinstance(event, PeerState) for event in found)
        assert client.writable
        client.send_data(b"up", 0.0)
        agent.send_data(b"down", 0.0)
        found = self.deliver(relay, client, agent, [])
        assert {getattr(event, "data", None) for event in found} == {b"up", b"down"}
        found = self.deliver(relay, client, agent, relay.terminate("bye"))
        assert found == [ChannelClosed("bye"), ChannelClosed("bye")]


def test_the_log_says_what_the_agent_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="sm_ssh_entry.wire")
    both().from_agent(service("agent_session_state", SessionState("Connected", "s-1").encode()))
    assert [record.getMessage() for record in caplog.records] == ["= agent Connected"]


def test_the_sides_are_named_as_the_roles() -> None:
    assert {side.value for side in Side} == {role.value for role in Role}
