"""What a client answers to a handshake, and what an agent makes of the answer."""

from __future__ import annotations

from sm_ssh_entry.wire.payloads import (
    ActionStatus,
    ActionType,
    HandshakeRequest,
    HandshakeResponse,
    KmsAction,
    ProcessedAction,
    RequestedAction,
    SessionType,
    SessionTypeAction,
)

_SESSION_TYPES = frozenset(kind.value for kind in SessionType)
#: The official agent does the handshake with these; the others start without one (unless a KMS key is set).
_WITH_HANDSHAKE = frozenset({SessionType.PORT.value, SessionType.NON_INTERACTIVE_COMMANDS.value})


def needs_handshake(session_type: str) -> bool:
    """Whether a session of this type begins with a handshake."""
    return session_type in _WITH_HANDSHAKE


def session_of(request: HandshakeRequest) -> SessionTypeAction | None:
    """The action that says what the session is, or None when the agent did not say."""
    for action in request.actions:
        if isinstance(action, SessionTypeAction):
            return action
    return None


def answer(request: HandshakeRequest, client_version: str) -> HandshakeResponse:
    """The client's answer. Encryption with KMS is refused: there is no key to do it with."""
    return HandshakeResponse(client_version, tuple(_process(action) for action in request.actions))


def refusal(response: HandshakeResponse) -> str | None:
    """Why the session cannot go on after this answer, in words for the user, or None if it can."""
    for action in response.actions:
        if action.status != ActionStatus.SUCCESS:
            return f"{action.action_type}: {action.error or 'refused'}"
    if response.errors:
        return "; ".join(response.errors)
    if not any(action.action_type == ActionType.SESSION_TYPE for action in response.actions):
        return f"{ActionType.SESSION_TYPE.value}: not answered"
    return None


def _process(action: RequestedAction) -> ProcessedAction:
    if isinstance(action, SessionTypeAction):
        if action.session_type in _SESSION_TYPES:
            return ProcessedAction(ActionType.SESSION_TYPE.value, ActionStatus.SUCCESS)
        error = "this session type is not known here"
        return ProcessedAction(ActionType.SESSION_TYPE.value, ActionStatus.FAILED, error=error)
    if isinstance(action, KmsAction):
        error = "encryption of sessions with a KMS key is not supported here"
        return ProcessedAction(ActionType.KMS_ENCRYPTION.value, ActionStatus.UNSUPPORTED, error=error)
    return ProcessedAction(action.action_type, ActionStatus.UNSUPPORTED, error="this action is not known here")
