from __future__ import annotations

import pytest

from sm_ssh_entry.wire.errors import LocalProtocolError
from sm_ssh_entry.wire.input_gate import MAX_WAITING_BYTES, InputGate
from sm_ssh_entry.wire.message import PayloadType


def test_it_keeps_order_and_opens_once() -> None:
    gate = InputGate()
    states = [gate.is_open]
    changing = bytearray(b"a")
    gate.keep(PayloadType.OUTPUT, memoryview(changing))
    gate.keep(PayloadType.SIZE, b"{}")
    changing[0] = 0  # the caller's buffer is the caller's again
    gate.open_at = 3.0
    assert gate.open() == [(PayloadType.OUTPUT, b"a"), (PayloadType.SIZE, b"{}")]
    states.append(gate.is_open)
    assert states == [False, True]
    assert gate.open() == []
    assert gate.open_at is None


def test_it_has_a_limit() -> None:
    gate = InputGate()
    gate.keep(PayloadType.OUTPUT, bytes(MAX_WAITING_BYTES))
    with pytest.raises(LocalProtocolError):
        gate.keep(PayloadType.OUTPUT, b"x")
    assert len(gate.open()) == 1
    gate.keep(PayloadType.OUTPUT, b"x")
