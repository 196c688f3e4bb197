"""The first frame on a websocket: a JSON text that presents the token. No answer to it is expected.

Both openers of a data channel use the same path; an agent is known by ``ClientInstanceId``, a client by
``ClientVersion``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.fields import lookup, parse_object, text, to_json

#: Longest opener that is read, in characters. A real one has some 600.
MAX_OPENER_CHARS = 16 * 1024


@dataclass(frozen=True, slots=True)
class OpenClientChannel:
    """The client opens its end of a data channel. ``request_id`` and ``client_id`` are UUID texts."""

    token: str
    request_id: str
    client_id: str
    client_version: str

    def encode(self) -> str:
        """Return the text frame."""
        return to_json(
            {
                "MessageSchemaVersion": "1.0",
                "RequestId": self.request_id,
                "TokenValue": self.token,
                "ClientId": self.client_id,
                "ClientVersion": self.client_version,
            }
        ).decode("ascii")


@dataclass(frozen=True, slots=True)
class OpenAgentChannel:
    """The agent opens its end of a data channel. ``client_id`` is empty in the official agent."""

    token: str
    request_id: str
    instance_id: str
    client_id: str = ""

    def encode(self) -> str:
        """Return the text frame."""
        return to_json(
            {
                "MessageSchemaVersion": "1.0",
                "RequestId": self.request_id,
                "TokenValue": self.token,
                "ClientInstanceId": self.instance_id,
                "ClientId": self.client_id,
            }
        ).decode("ascii")


@dataclass(frozen=True, slots=True)
class OpenControlChannel:
    """The agent opens its control channel."""

    token: str
    request_id: str
    agent_version: str
    platform_type: str = "linux"

    def encode(self) -> str:
        """Return the text frame."""
        return to_json(
            {
                "Cookie": None,
                "MessageSchemaVersion": "1.0",
                "RequestId": self.request_id,
                "TokenValue": self.token,
                "AgentVersion": self.agent_version,
                "PlatformType": self.platform_type,
            }
        ).decode("ascii")

    @classmethod
    def decode(cls, frame: str) -> OpenControlChannel:
        """Read the first frame on a control channel. Raises RemoteProtocolError."""
        source = _parse(frame)
        return cls(
            text(source, "TokenValue"),
            text(source, "RequestId", ""),
            text(source, "AgentVersion", ""),
            text(source, "PlatformType", ""),
        )


def decode_data_opener(frame: str) -> OpenClientChannel | OpenAgentChannel:
    """Read the first frame on a data channel and tell who opened it. Raises RemoteProtocolError."""
    source = _parse(frame)
    token, request_id = text(source, "TokenValue"), text(source, "RequestId", "")
    client_id = text(source, "ClientId", "")
    if lookup(source, "ClientInstanceId") is not None:
        return OpenAgentChannel(token, request_id, text(source, "ClientInstanceId"), client_id)
    if lookup(source, "ClientVersion") is not None:
        return OpenClientChannel(token, request_id, client_id, text(source, "ClientVersion"))
    raise RemoteProtocolError("the opener names neither ClientInstanceId nor ClientVersion")


def _parse(frame: str) -> dict[str, object]:
    if len(frame) > MAX_OPENER_CHARS:
        raise RemoteProtocolError(f"an opener of {len(frame)} characters is over the limit of {MAX_OPENER_CHARS}")
    return parse_object(frame, "the opening frame")
