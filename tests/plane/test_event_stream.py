"""A stream of parts as botocore reads it."""

from __future__ import annotations

import pytest
from botocore.eventstream import EventStreamBuffer

from sm_ssh_entry.plane import event_stream


@pytest.mark.parametrize("data", [b"", b"one", bytes(range(256)) * 500])
def test_a_part_is_read_as_it_was_written(data: bytes) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream.part(data) + event_stream.part(b"next"))
    first, second = buffer
    assert (first.payload, second.payload) == (data, b"next")
    assert first.headers == {
        ":message-type": "event",
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
    }


def test_an_error_ends_a_stream() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream.failure("ModelStreamError", "It broke."))
    (found,) = buffer
    assert found.headers[":message-type"] == "error"
    assert (found.headers[":error-code"], found.headers[":error-message"]) == ("ModelStreamError", "It broke.")
