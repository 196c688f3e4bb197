from __future__ import annotations

import random

import pytest

from sm_ssh_entry.wire import smux
from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError
from sm_ssh_entry.wire.smux import KeepaliveTimeout, MuxEvent, MuxSession, StreamClosed, StreamData, StreamOpened

# By hand: version, command, length u16 and stream id u32, little-endian, then data.
SYN_3 = bytes.fromhex("01 00 0000 03000000")
PSH_3 = bytes.fromhex("01 02 0500 03000000 68656c6c6f")
FIN_3 = bytes.fromhex("01 01 0000 03000000")
NOP = bytes.fromhex("01 03 0000 00000000")
ALL = SYN_3 + PSH_3 + NOP + FIN_3
EVENTS: list[MuxEvent] = [StreamOpened(3), StreamData(3, b"hello"), StreamClosed(3)]


def frame(command: int, stream_id: int, data: bytes = b"", *, version: int = 1, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return bytes([version, command]) + size.to_bytes(2, "little") + stream_id.to_bytes(4, "little") + data


def pair() -> tuple[MuxSession, MuxSession]:
    return MuxSession(client=True), MuxSession(client=False)


def test_one_literal_both_ways() -> None:
    client, server = pair()
    assert client.open_stream() == 3
    client.send(3, b"hello")
    client.close_stream(3)
    sent = client.bytes_to_send()
    assert sent == SYN_3 + PSH_3 + FIN_3
    assert server.receive(sent) == EVENTS


def test_byte_by_byte_and_cut_anywhere() -> None:
    server = MuxSession(client=False)
    assert [event for byte in ALL for event in server.receive(bytes([byte]))] == EVENTS
    for at in range(len(ALL)):
        server = MuxSession(client=False)
        assert server.receive(ALL[:at]) + server.receive(ALL[at:]) == EVENTS


def test_ids_are_odd_for_clients_and_even_for_servers() -> None:
    client, server = pair()
    assert [client.open_stream() for _ in range(3)] == [3, 5, 7]
    assert [server.open_stream() for _ in range(2)] == [2, 4]
    assert client.receive(server.bytes_to_send()) == [StreamOpened(2), StreamOpened(4)]
    assert client.streams == {2, 3, 4, 5, 7}


def test_a_finished_stream_still_takes_what_comes_and_is_ended_once() -> None:
    client, server = pair()
    client.open_stream()
    client.finish_stream(3)
    client.finish_stream(3)
    assert server.receive(client.bytes_to_send()) == [StreamOpened(3), StreamClosed(3)]
    with pytest.raises(LocalProtocolError):
        client.send(3, b"more")
    server.send(3, b"hello")
    assert client.receive(server.bytes_to_send()) == [StreamData(3, b"hello")]
    client.close_stream(3)
    assert client.bytes_to_send() == b""
    assert client.streams == frozenset()


def test_large_data_is_cut_so_that_a_frame_fits_one_message() -> None:
    client, server = pair()
    client.open_stream()
    data = random.Random(1).randbytes(100_000)
    client.send(3, data)
    sent = client.bytes_to_send()
    sizes = []
    at = 8
    while at < len(sent):
        sizes.append(8 + int.from_bytes(sent[at + 2 : at + 4], "little"))
        at += sizes[-1]
    assert max(sizes) == 32768
    received = [event.data for event in server.receive(sent) if isinstance(event, StreamData)]
    assert b"".join(received) == data


def test_closing_is_half_by_half() -> None:
    client, server = pair()
    client.open_stream()
    server.receive(client.bytes_to_send())
    server.send(3, b"answer")
    server.close_stream(3)
    assert client.receive(server.bytes_to_send()) == [StreamData(3, b"answer"), StreamClosed(3)]
    client.send(3, b"more")  # this half is still open, though the server does not want it any more
    client.close_stream(3)
    client.close_stream(3)
    assert server.receive(client.bytes_to_send()) == []
    assert client.streams == server.streams == frozenset()
    assert client.bytes_to_send() == b""


def test_what_comes_for_a_stream_that_is_gone_is_dropped() -> None:
    server = MuxSession(client=False)
    assert server.receive(PSH_3 + FIN_3) == []
    server.receive(SYN_3)
    assert server.receive(FIN_3 + PSH_3 + FIN_3) == [StreamClosed(3)]
    assert server.receive(SYN_3) == []
    assert server.receive(frame(2, 3)) == []


def test_empty_data_is_no_event() -> None:
    server = MuxSession(client=False)
    assert server.receive(SYN_3 + frame(2, 3)) == [StreamOpened(3)]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(frame(0, 3, version=2), id="version 2"),
        pytest.param(frame(0, 3, version=0), id="version 0"),
        pytest.param(frame(4, 3), id="UPD of version 2"),
        pytest.param(frame(255, 3), id="unknown command"),
        pytest.param(frame(2, 3, length=32769), id="data over the limit"),
        pytest.param(frame(0, 3, b"x"), id="SYN with data"),
        pytest.param(frame(1, 3, b"x"), id="FIN with data"),
        pytest.param(frame(3, 0, b"x"), id="NOP with data"),
        pytest.param(frame(0, 2), id="SYN of one of our numbers"),
    ],
)
def test_malformed_is_for_ever(bad: bytes) -> None:
    server = MuxSession(client=False, keepalive=True)
    with pytest.raises(RemoteProtocolError):
        server.receive(bad)
    with pytest.raises(RemoteProtocolError):
        server.receive(SYN_3)
    assert server.next_deadline() is None
    assert server.tick(1e9) == []


def test_what_came_before_the_malformed_frame_is_not_lost() -> None:
    server = MuxSession(client=False)
    assert server.receive(ALL + b"\xff" * 8) == EVENTS
    with pytest.raises(RemoteProtocolError):
        server.receive(b"")


def test_the_limit_is_judged_by_the_header_alone() -> None:
    server = MuxSession(client=False)
    with pytest.raises(RemoteProtocolError):
        server.receive(frame(2, 3, length=65535))


def test_receiving_has_a_bound() -> None:
    client, server = pair()
    client.open_stream()
    server.receive(client.bytes_to_send())
    chunk = bytes(32768)
    readable: list[bool] = []
    while not readable or readable[-1]:
        client.send(3, chunk)
        server.receive(client.bytes_to_send())
        readable.append(server.readable)
    assert len(readable) == smux.RECEIVE_BYTES // len(chunk)
    server.consumed(len(chunk))
    assert server.readable
    with pytest.raises(LocalProtocolError):
        server.consumed(smux.RECEIVE_BYTES)
    with pytest.raises(LocalProtocolError):
        server.consumed(-1)


def test_streams_have_a_bound_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smux, "MAX_STREAMS", 2)
    client, server = pair()
    client.open_stream()
    client.open_stream()
    with pytest.raises(LocalProtocolError):
        client.open_stream()
    server.receive(client.bytes_to_send())
    assert server.receive(frame(0, 7)) == []
    assert server.bytes_to_send() == frame(1, 7)
    assert len(server.streams) == 2


def test_ids_run_out() -> None:
    client = MuxSession(client=True)
    client._next_id = (1 << 32) - 1
    client.open_stream()
    with pytest.raises(LocalProtocolError):
        client.open_stream()


def test_sending_needs_an_open_stream() -> None:
    client = MuxSession(client=True)
    with pytest.raises(LocalProtocolError):
        client.send(3, b"x")


class TestKeepalive:
    def test_off_by_default(self) -> None:
        client = MuxSession(client=True)
        assert client.next_deadline() is None
        assert client.tick(1e9) == []
        assert client.bytes_to_send() == b""

    def test_a_sign_of_life_every_ten_seconds(self) -> None:
        client = MuxSession(client=True, keepalive=True)
        assert client.next_deadline() == 0.0
        client.tick(100.0)
        assert client.next_deadline() == 110.0
        assert client.tick(109.0) == []
        assert client.bytes_to_send() == b""
        client.tick(110.0)
        assert client.bytes_to_send() == NOP
        assert client.next_deadline() == 120.0

    def run(self, session: MuxSession, start: int, end: int) -> list[MuxEvent]:
        return [event for second in range(start, end) for event in session.tick(second)]

    def test_thirty_seconds_of_silence(self) -> None:
        client = MuxSession(client=True, keepalive=True)
        assert self.run(client, 0, 30) == []
        assert self.run(client, 30, 31) == [KeepaliveTimeout()]

    def test_any_frame_is_a_sign_of_life(self) -> None:
        client = MuxSession(client=True, keepalive=True)
        for second in range(0, 300, 25):
            client.receive(NOP)
            assert self.run(client, second, second + 25) == []

    def test_a_session_that_is_not_read_is_not_silent(self) -> None:
        server = MuxSession(client=False, keepalive=True)
        server.tick(0.0)
        server.receive(SYN_3)
        while server.readable:
            server.receive(frame(2, 3, bytes(32768)))
        assert self.run(server, 1, 200) == []
