from __future__ import annotations

import pytest

from sm_ssh_entry.wire import handshake
from sm_ssh_entry.wire.payloads import (
    ActionStatus,
    HandshakeRequest,
    HandshakeResponse,
    KmsAction,
    ProcessedAction,
    SessionTypeAction,
    UnknownAction,
)

PORT = SessionTypeAction("Port", {"portNumber": "22"})


@pytest.mark.parametrize(
    ("session_type", "expected"),
    [
        ("Port", True),
        ("NonInteractiveCommands", True),
        ("Standard_Stream", False),
        ("InteractiveCommands", False),
        ("", False),
    ],
)
def test_who_shakes_hands(session_type: str, expected: bool) -> None:
    assert handshake.needs_handshake(session_type) is expected


def test_a_known_session_is_accepted() -> None:
    response = handshake.answer(HandshakeRequest("3", (PORT,)), "1.2.700.0")
    assert response == HandshakeResponse("1.2.700.0", (ProcessedAction("SessionType", ActionStatus.SUCCESS),))
    assert handshake.refusal(response) is None


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (KmsAction("arn:key"), ActionStatus.UNSUPPORTED),
        (UnknownAction("Dance"), ActionStatus.UNSUPPORTED),
        (SessionTypeAction("Novel"), ActionStatus.FAILED),
    ],
)
def test_what_is_refused_and_why(action: KmsAction | UnknownAction | SessionTypeAction, status: ActionStatus) -> None:
    response = handshake.answer(HandshakeRequest("3", (PORT, action)), "1")
    assert [one.status for one in response.actions] == [ActionStatus.SUCCESS, status]
    assert response.actions[1].error
    assert response.actions[1].error in (handshake.refusal(response) or "")


def test_refusals_of_others() -> None:
    done = ProcessedAction("SessionType", ActionStatus.SUCCESS)
    assert handshake.refusal(HandshakeResponse("1", (done,), ("a", "b"))) == "a; b"
    assert handshake.refusal(HandshakeResponse("1", (ProcessedAction("SessionType", 2),))) == "SessionType: refused"
    assert handshake.refusal(HandshakeResponse("1", ())) == "SessionType: not answered"


def test_the_session_of_a_request() -> None:
    assert handshake.session_of(HandshakeRequest("3", (KmsAction("k"), PORT))) == PORT
    assert handshake.session_of(HandshakeRequest("3", ())) is None
