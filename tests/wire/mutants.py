"""Bytes that no honest peer would send, made from those that one would, by a seeded generator."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

from sm_ssh_entry.wire import payloads as p
from sm_ssh_entry.wire.message import AgentMessage, MessageType, PayloadType, encode
from tests.wire.pair import ids

_ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 65536, 1 << 31, 1 << 63, 1 << 64, 10**30, -0.5, 1e308, "", "x", "é\0", "\U0001f600",
    "5", [], [None], [[]], {}, {"": {}}, [{"ActionType": []}], {"SessionType": {"SessionType": 1}},
]  # fmt: skip
_ODD_NUMBERS = [0, 1, 2, 3, 15, 16, 111, 112, 113, 115, 116, 117, 120, 1024, 1025, 1 << 31, (1 << 32) - 1]
_HONEST_PAYLOADS = [
    b"bytes of a stream",
    p.Acknowledge("output_stream_data", "dd01e56b-ff48-483e-a508-b5f073f31b16", 0).encode(),
    p.HandshakeRequest("3.3.0.0", (p.SessionTypeAction("Port", {"portNumber": "22"}), p.KmsAction("k"))).encode(),
    p.HandshakeResponse("1.2.700.0", (p.ProcessedAction("SessionType", 1), p.ProcessedAction("x", 3))).encode(),
    p.HandshakeComplete(1, "hello").encode(),
    p.Size(80, 24).encode(),
    p.Flag(2).encode(),
    p.ExitCode(0).encode(),
    p.ChannelClosed("u", "s", "bye").encode(),
    p.SessionState("Connected", "s").encode(),
]


class Mutants:
    """Endless mutants of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._new_id = ids(1 << 90)

    def frame(self, *, near: int = 0) -> bytes:
        """A frame, or what is left of one. ``near`` is a sequence number around which to choose others."""
        message = AgentMessage(
            self._pick([*MessageType, "unknown", "x" * 32]),
            self.payload() or b"x",
            self._new_id(),
            self._pick([1, 1_700_000_000_000, (1 << 64) - 1]),
            self._pick([near, near, near, 0, near + 1, near + 2, near + 5000, max(0, near - 1), (1 << 63) - 1]),
            self._pick([0, 1, 2, 3, (1 << 64) - 1]),
            self._pick([*PayloadType, 13, 255, (1 << 32) - 1]),
            self._pick([0, 1, 2]),
        )
        if self._random.random() < 0.7:
            stream = [MessageType.INPUT_STREAM_DATA, MessageType.OUTPUT_STREAM_DATA]
            message = replace(message, message_type=self._pick([*stream, *stream, MessageType.ACKNOWLEDGE]))
        frame = encode(message)
        return frame if self._random.random() < 0.5 else self.broken(frame)

    def payload(self) -> bytes:
        """What a payload may be: honest, odd JSON, or noise."""
        payload: bytes = self._pick(_HONEST_PAYLOADS)
        dice = self._random.random()
        if dice < 0.3:
            return payload
        if dice < 0.7 and payload.startswith(b"{"):
            return json.dumps(self.value(json.loads(payload))).encode()
        return self.broken(payload)

    def value(self, value: Any) -> Any:
        """JSON with something odd somewhere."""
        if self._random.random() < 0.2:
            return self._pick(_ODD_VALUES)
        if isinstance(value, dict):
            return {key: self.value(inner) for key, inner in value.items() if self._random.random() < 0.9}
        if isinstance(value, list):
            return [self.value(inner) for inner in value for _ in range(self._random.choice([0, 1, 1, 1, 2]))]
        return value

    def broken(self, data: bytes) -> bytes:
        """Bytes cut, extended, flipped or overwritten."""
        changed = bytearray(data)
        for _ in range(self._random.choice([1, 1, 2, 5])):
            kind = self._random.randrange(5)
            at = self._random.randrange(len(changed)) if changed else 0
            if kind == 0:
                del changed[at:]
            elif kind == 1:
                changed += self._random.randbytes(self._random.choice([1, 4, 200]))
            elif kind == 2 and changed:
                changed[at] ^= 1 << self._random.randrange(8)
            elif kind == 3:
                changed[at : at + 4] = self._pick(_ODD_NUMBERS).to_bytes(4, self._pick(["big", "little"]))
            else:
                del changed[at : at + self._random.choice([1, 8])]
        return bytes(changed)

    def _pick(self, choices: Any) -> Any:
        return self._random.choice(choices)
