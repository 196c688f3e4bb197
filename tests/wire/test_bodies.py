from __future__ import annotations

import pytest

from sm_ssh_entry.wire import bodies
from sm_ssh_entry.wire.bodies import Role
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import PayloadType
from sm_ssh_entry.wire.payloads import ExitCode, Flag, HandshakeComplete, Size


def test_each_type_is_read_as_what_it_is() -> None:
    assert bodies.parse(PayloadType.OUTPUT, b"x") == b"x"
    assert bodies.parse(PayloadType.STDERR, b"x") == b"x"
    assert bodies.parse(PayloadType.SIZE, b'{"cols":1,"rows":2}') == Size(1, 2)
    assert bodies.parse(PayloadType.FLAG, b"\0\0\0\1") == Flag(1)
    assert bodies.parse(PayloadType.EXIT_CODE, b"EXIT_CODE: 1") == ExitCode(1)
    assert bodies.parse(PayloadType.HANDSHAKE_COMPLETE, b"{}") == HandshakeComplete()
    assert bodies.parse(99, b"unknown") == b"unknown"


@pytest.mark.parametrize("kind", [3, 5, 6, 10, 12])
def test_malformed(kind: int) -> None:
    with pytest.raises(RemoteProtocolError):
        bodies.parse(kind, b"\xff")


def test_who_receives_what() -> None:
    assert bodies.RECEIVED[Role.CLIENT] == {1, 5, 7, 10, 11, 12}
    assert bodies.RECEIVED[Role.AGENT] == {1, 3, 6, 10}
