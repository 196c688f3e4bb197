"""Payloads of a data channel: one frozen dataclass each, to bytes and from bytes.

``X.encode()`` gives what the official peers write, key order included; ``X.decode(payload)`` raises
RemoteProtocolError on anything else than they could have written. The frames that open a channel are in ``openers.py``.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from sm_ssh_entry.wire.errors import LocalProtocolError, RemoteProtocolError
from sm_ssh_entry.wire.fields import boolean, integer, lookup, mapping, objects, parse_object, text, to_json

_U32 = struct.Struct(">I")
_PLAIN_ACK = re.compile(
    rb'\{"AcknowledgedMessageType":"([a-z_]{1,32})","AcknowledgedMessageId":"([0-9a-f-]{36})",'
    rb'"AcknowledgedMessageSequenceNumber":([0-9]{1,18}),"IsSequentialMessage":(true|false)\}'
)
_PLAIN_NAME = re.compile(r"[a-z_]{1,32}\Z")
_PLAIN_ID = re.compile(r"[0-9a-f-]{36}\Z")
_EXIT_CODE = re.compile(rb"\s*EXIT_CODE:\s*(-?[0-9]{1,10})\s*\Z")


class ActionType(str, Enum):
    """What an agent may ask of a client in the handshake."""

    SESSION_TYPE = "SessionType"
    KMS_ENCRYPTION = "KMSEncryption"


class ActionStatus(IntEnum):
    """The client's answer to one action. Anything but SUCCESS fails the session."""

    SUCCESS = 1
    FAILED = 2
    UNSUPPORTED = 3


class SessionFlag(IntEnum):
    """Values of a Flag payload."""

    DISCONNECT_TO_PORT = 1
    TERMINATE_SESSION = 2
    CONNECT_TO_PORT_ERROR = 3


class SessionType(str, Enum):
    """The ``sessionType`` of the documents that AWS owns."""

    STANDARD_STREAM = "Standard_Stream"
    PORT = "Port"
    INTERACTIVE_COMMANDS = "InteractiveCommands"
    NON_INTERACTIVE_COMMANDS = "NonInteractiveCommands"


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Receipt of one stream message. Senders match it by the sequence number alone."""

    message_type: str
    message_id: str
    sequence_number: int
    is_sequential: bool = True

    def encode(self) -> bytes:
        """Return the JSON. The usual case skips the JSON library: one is sent for every stream message."""
        if _PLAIN_NAME.match(self.message_type) and _PLAIN_ID.match(self.message_id):
            return (
                f'{{"AcknowledgedMessageType":"{self.message_type}","AcknowledgedMessageId":"{self.message_id}",'
                f'"AcknowledgedMessageSequenceNumber":{self.sequence_number:d},'
                f'"IsSequentialMessage":{"true" if self.is_sequential else "false"}}}'
            ).encode("ascii")
        return to_json(
            {
                "AcknowledgedMessageType": self.message_type,
                "AcknowledgedMessageId": self.message_id,
                "AcknowledgedMessageSequenceNumber": self.sequence_number,
                "IsSequentialMessage": self.is_sequential,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Acknowledge:
        """Read a receipt; any valid JSON spelling of it will do."""
        plain = _PLAIN_ACK.fullmatch(payload)
        if plain:
            name, identifier, number, sequential = plain.groups()
            return cls(name.decode("ascii"), identifier.decode("ascii"), int(number), sequential == b"true")
        source = parse_object(payload, "acknowledge")
        return cls(
            text(source, "AcknowledgedMessageType"),
            text(source, "AcknowledgedMessageId", ""),
            integer(source, "AcknowledgedMessageSequenceNumber"),
            boolean(source, "IsSequentialMessage", True),
        )


@dataclass(frozen=True, slots=True)
class SessionTypeAction:
    """The agent says what the session is. ``properties`` are the document's, substituted; None where it has none."""

    session_type: str
    properties: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class KmsAction:
    """The agent asks for encryption with a KMS key. ``challenge`` is base64 text."""

    key_id: str
    challenge: str = ""


@dataclass(frozen=True, slots=True)
class UnknownAction:
    """An action of a newer agent."""

    action_type: str


RequestedAction = SessionTypeAction | KmsAction | UnknownAction


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """Agent to client, payload type 5."""

    agent_version: str
    actions: tuple[RequestedAction, ...]

    def encode(self) -> bytes:
        """Return the JSON."""
        actions: list[dict[str, Any]] = []
        for action in self.actions:
            if isinstance(action, SessionTypeAction):
                asked = {"SessionType": action.session_type, "Properties": action.properties}
                actions.append({"ActionType": ActionType.SESSION_TYPE.value, "ActionParameters": asked})
            elif isinstance(action, KmsAction):
                key = {"KMSKeyId": action.key_id, "Challenge": action.challenge}
                actions.append({"ActionType": ActionType.KMS_ENCRYPTION.value, "ActionParameters": key})
            else:
                raise LocalProtocolError("an unknown action cannot be asked for")
        return to_json({"AgentVersion": self.agent_version, "RequestedClientActions": actions})

    @classmethod
    def decode(cls, payload: bytes) -> HandshakeRequest:
        """Read a request; actions of unknown type are kept as such, to be answered as unsupported."""
        source = parse_object(payload, "HandshakeRequest")
        actions = tuple(cls._action(item) for item in objects(source, "RequestedClientActions"))
        return cls(text(source, "AgentVersion"), actions)

    @staticmethod
    def _action(item: dict[str, Any]) -> RequestedAction:
        kind = text(item, "ActionType")
        if kind == ActionType.SESSION_TYPE:
            parameters = mapping(item, "ActionParameters")
            properties = lookup(parameters, "Properties")
            if properties is not None and not isinstance(properties, dict):
                raise RemoteProtocolError("Properties is not a JSON object")
            return SessionTypeAction(text(parameters, "SessionType"), properties)
        if kind == ActionType.KMS_ENCRYPTION:
            parameters = mapping(item, "ActionParameters")
            return KmsAction(text(parameters, "KMSKeyId", ""), text(parameters, "Challenge", ""))
        return UnknownAction(kind)


@dataclass(frozen=True, slots=True)
class ProcessedAction:
    """The client's answer to one action. ``result`` is JSON, None in all that we send."""

    action_type: str
    status: int
    result: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class HandshakeResponse:
    """Client to agent, payload type 6."""

    client_version: str
    actions: tuple[ProcessedAction, ...]
    errors: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the JSON."""
        actions = [
            {"ActionType": a.action_type, "ActionStatus": int(a.status), "ActionResult": a.result, "Error": a.error}
            for a in self.actions
        ]
        return to_json(
            {
                "ClientVersion": self.client_version,
                "ProcessedClientActions": actions,
                "Errors": list(self.errors) or None,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> HandshakeResponse:
        """Read a response."""
        source = parse_object(payload, "HandshakeResponse")
        actions = tuple(
            ProcessedAction(
                text(item, "ActionType"),
                integer(item, "ActionStatus", 0),
                lookup(item, "ActionResult"),
                text(item, "Error", ""),
            )
            for item in objects(source, "ProcessedClientActions")
        )
        errors = lookup(source, "Errors")
        if errors is None:
            errors = []
        if not isinstance(errors, list) or not all(isinstance(error, str) for error in errors):
            raise RemoteProtocolError("Errors is not a list of strings")
        return cls(text(source, "ClientVersion"), actions, tuple(errors))


@dataclass(frozen=True, slots=True)
class HandshakeComplete:
    """Agent to client, payload type 7. ``customer_message`` is for the user's eyes if not empty."""

    time_to_complete_ns: int = 0
    customer_message: str = ""

    def encode(self) -> bytes:
        """Return the JSON."""
        return to_json({"HandshakeTimeToComplete": self.time_to_complete_ns, "CustomerMessage": self.customer_message})

    @classmethod
    def decode(cls, payload: bytes) -> HandshakeComplete:
        """Read it."""
        source = parse_object(payload, "HandshakeComplete")
        taken = integer(source, "HandshakeTimeToComplete", 0, low=-(2**63))
        return cls(taken, text(source, "CustomerMessage", ""))


@dataclass(frozen=True, slots=True)
class Size:
    """The client's terminal, payload type 3. A pty takes sixteen bits for each."""

    cols: int
    rows: int

    def encode(self) -> bytes:
        """Return the JSON."""
        return to_json({"cols": self.cols, "rows": self.rows})

    @classmethod
    def decode(cls, payload: bytes) -> Size:
        """Read it."""
        source = parse_object(payload, "Size")
        return cls(integer(source, "cols", high=0xFFFF), integer(source, "rows", high=0xFFFF))


@dataclass(frozen=True, slots=True)
class Flag:
    """Payload type 10: a number, usually a :class:`SessionFlag`."""

    value: int

    def encode(self) -> bytes:
        """Return four big-endian bytes."""
        return _U32.pack(self.value)

    @classmethod
    def decode(cls, payload: bytes) -> Flag:
        """Read four bytes, no more and no less."""
        if len(payload) != 4:
            raise RemoteProtocolError(f"a Flag has 4 bytes, not {len(payload)}")
        return cls(_U32.unpack(payload)[0])


@dataclass(frozen=True, slots=True)
class ExitCode:
    """The remote command's exit status, payload type 12."""

    value: int

    def encode(self) -> bytes:
        """Return the text that the official agent sends."""
        return b"EXIT_CODE: %d" % self.value

    @classmethod
    def decode(cls, payload: bytes) -> ExitCode:
        """Read it; spaces do not matter."""
        match = _EXIT_CODE.match(payload)
        if not match:
            raise RemoteProtocolError("an ExitCode is not of the form EXIT_CODE: N")
        return cls(int(match.group(1)))


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The service ends the session. ``output`` is for the user; ``created_date`` is epoch milliseconds as text."""

    message_id: str
    session_id: str
    output: str = ""
    destination_id: str = ""
    created_date: str = ""
    schema_version: int = field(default=1)

    def encode(self) -> bytes:
        """Return the JSON."""
        return to_json(
            {
                "MessageType": "channel_closed",
                "MessageId": self.message_id,
                "DestinationId": self.destination_id,
                "SessionId": self.session_id,
                "SchemaVersion": self.schema_version,
                "CreatedDate": self.created_date,
                "Output": self.output,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> ChannelClosed:
        """Read it. Only its being a JSON object is required: the service means the end, whatever it adds or omits."""
        source = parse_object(payload, "channel_closed")
        return cls(
            text(source, "MessageId", ""),
            text(source, "SessionId", ""),
            text(source, "Output", ""),
            text(source, "DestinationId", ""),
            str(lookup(source, "CreatedDate") or ""),
            integer(source, "SchemaVersion", 1),
        )


class SessionStatus(str, Enum):
    """What an agent tells the service of its session."""

    CONNECTED = "Connected"
    TERMINATING = "Terminating"


@dataclass(frozen=True, slots=True)
class SessionState:
    """Agent to service, ``agent_session_state``. ``state`` is usually a :class:`SessionStatus`."""

    state: str
    session_id: str

    def encode(self) -> bytes:
        """Return the JSON."""
        return to_json({"SchemaVersion": 1, "SessionState": str.__str__(self.state), "SessionId": self.session_id})

    @classmethod
    def decode(cls, payload: bytes) -> SessionState:
        """Read it."""
        source = parse_object(payload, "agent_session_state")
        return cls(text(source, "SessionState"), text(source, "SessionId", ""))
