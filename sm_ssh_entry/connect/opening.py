"""StartSession: what it is asked, what it answers. The channel itself is in ``session``, slower to import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.errors import BadInput

DOCUMENT = "AWS-StartSSHSession"
FORWARD = "AWS-StartPortForwardingSession"
# An agent joins many connections into one session unless the client is older than 1.1.70. Protocol page, section 10.2.
SINGLE_CONNECTION = "1.1.61.0"
DEFAULT_PAYLOAD_BYTES = 1024
_LARGEST_PAYLOAD = 1 << 20


@dataclass(frozen=True, repr=False)
class Ticket:
    """A session that has been started, and what opens its data channel. Not to be printed: it holds the token.

    Attributes:
        node_id: ``mi-…``, or a target of SageMaker's own.
        port: the port on the node; 0: a shell has none.
        session_id: for ResumeSession and TerminateSession.
        token: opens the channel, once.
        url: where the channel is.
        client_version: what the client has to say it is; ``""``: what it is.
        way: by what the container is known whose host key may be learned at first sight; ``""``: its key is known.
    """

    node_id: str
    port: int
    session_id: str
    token: str
    url: str
    client_version: str = ""
    way: str = ""


@dataclass(frozen=True)
class Jump:
    """A node that only the sshd of another one reaches.

    Attributes:
        node_id: the other one's, ``mi-…``.
        host: what the node is called in the job's network, ``algo-7``.
        port: its sshd's.
        user: whom to log in as on the way; ``""``: not said.
        way: as of a ticket.
    """

    node_id: str
    host: str
    port: int
    user: str = ""
    way: str = ""


def start(ssm: Any, node_id: str, port: int) -> Ticket:
    """Start a session to the sshd of a node; arguments and errors as in ``start_document``."""
    return start_document(ssm, node_id, DOCUMENT, {"portNumber": str(port)}, reason="ssh")


def start_forward(ssm: Any, target: str, port: str, *, reason: str) -> Ticket:
    """Start a session to one port with the document for any port, one connection at a time; else as the next."""
    ticket = start_document(ssm, target, FORWARD, {"portNumber": port}, reason=reason)
    return replace(ticket, client_version=SINGLE_CONNECTION)


def start_document(ssm: Any, target: str, document: str, parameters: Mapping[str, str], *, reason: str) -> Ticket:
    """Start a session with a document.

    Args:
        ssm: client.
        target: ``mi-…``, or a target of SageMaker's own.
        document: its name; ``""``: the account's default, a shell.
        parameters: of the document. ``portNumber`` is also the ticket's port.
        reason: shown in the session's history.

    Raises:
        SmSshError: whatever AWS answers; ``diagnose.no_session`` says what it means.
    """
    named: dict[str, Any] = {"DocumentName": document} if document else {}
    if parameters:
        named["Parameters"] = {name: [value] for name, value in parameters.items()}
    with aws.errors_of(action="ssm:StartSession"):
        answer = ssm.start_session(Target=target, Reason=reason, **named)
    port = int(parameters.get("portNumber", "0"))
    return Ticket(target, port, str(answer["SessionId"]), str(answer["TokenValue"]), str(answer["StreamUrl"]))


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
