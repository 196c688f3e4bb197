"""StartSession: what it is asked, what it answers. The channel itself is in ``session``, slower to import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.errors import BadInput

DOCUMENT = "AWS-StartSSHSession"
DEFAULT_PAYLOAD_BYTES = 1024
_LARGEST_PAYLOAD = 1 << 20


@dataclass(frozen=True, repr=False)
class Ticket:
    """A session that has been started, and what opens its data channel. Not to be printed: it holds the token.

    Attributes:
        node_id: ``mi-…``.
        port: where its sshd listens.
        session_id: for ResumeSession and TerminateSession.
        token: opens the channel, once.
        url: where the channel is.
    """

    node_id: str
    port: int
    session_id: str
    token: str
    url: str


def start(ssm: Any, node_id: str, port: int) -> Ticket:
    """Start a session to a port of a node.

    Args:
        ssm: client.
        node_id: ``mi-…``.
        port: where its sshd listens.

    Raises:
        SmSshError: whatever AWS answers; ``diagnose.no_session`` says what it means.
    """
    with aws.errors_of(action="ssm:StartSession"):
        answer = ssm.start_session(
            Target=node_id, DocumentName=DOCUMENT, Parameters={"portNumber": [str(port)]}, Reason="ssh"
        )
    return Ticket(node_id, port, str(answer["SessionId"]), str(answer["TokenValue"]), str(answer["StreamUrl"]))


def terminate(ssm: Any, session_id: str) -> None:
    """End a session.

    Raises:
        SmSshError: whatever AWS answers.
    """
    with aws.errors_of(action="ssm:TerminateSession"):
        ssm.terminate_session(SessionId=session_id)


def payload_bytes() -> int:
    """Return how many bytes of the stream one message carries.

    Raises:
        BadInput: the variable holds no such number.
    """
    text = os.environ.get(contract.PAYLOAD_BYTES) or str(DEFAULT_PAYLOAD_BYTES)
    if not text.isdigit() or not 1 <= int(text) <= _LARGEST_PAYLOAD:
        raise BadInput(f"{contract.PAYLOAD_BYTES} is not a number of bytes: {text!r}", hint="1024 suits every service")
    return int(text)
