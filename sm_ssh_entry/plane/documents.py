"""The AWS-owned SSM documents that the plane knows, and the check of parameters against them.

Names, session types, properties and parameter names are those of the protocol page, sections 9.1 and 10.1. Checking
``allowedPattern`` is the service's job: the agent substitutes ``{{ name }}`` and checks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.plane.api import AwsError

# 1 to 65535, and the same with 0: "any free port" on the laptop's side.
_PORT = "^([1-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
_LOCAL_PORT = "^([0-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
# A host name or address. What a shell could read as more than a word is left out.
_HOST = r"^[A-Za-z0-9._:%\[\]-]{1,253}$"
# What the agent accepts too (protocol page, section 10.1).
_PREFIX = "^[0-9a-zA-Z\r\n_:-]{0,30}$"
# 1 to 172800 seconds: two days.
_SECONDS = "^([1-9][0-9]{0,4}|1[0-6][0-9]{4}|17[01][0-9]{3}|172[0-7][0-9]{2}|172800)$"

DEFAULT_SESSION_DOCUMENT = "SSM-SessionManagerRunShell"


@dataclass(frozen=True)
class Document:
    """One document.

    Args:
        name: AWS's name.
        kind: ``Session`` or ``Command``.
        content: the document itself, as the agent gets it. ``parameters`` in it is what values are checked against.
    """

    name: str
    kind: str
    content: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Parameter definitions by name."""
        found: Mapping[str, Mapping[str, Any]] = self.content.get("parameters", {})
        return found

    def arguments(self, given: Mapping[str, Sequence[str]]) -> dict[str, str | list[str]]:
        """Check the values of a call and return them as the agent wants them, defaults filled in.

        Args:
            given: lists of strings by parameter name, as the public API has them.

        Returns:
            A plain string for each String parameter, a list for each StringList.

        Raises:
            AwsError: InvalidParameters, naming the parameter and never the value: it may be a secret.
        """
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            raise _invalid(f"{', '.join(unknown)}: not a parameter of document {self.name}.")
        return {name: self._argument(name, definition, given.get(name)) for name, definition in self.parameters.items()}

    def _argument(self, name: str, definition: Mapping[str, Any], values: Sequence[str] | None) -> str | list[str]:
        if values is None:
            if "default" not in definition:
                raise _invalid(f"{name}: document {self.name} requires this parameter.")
            default: str | list[str] = definition["default"]
            return default
        if definition["type"] == "StringList":
            if len(values) < definition.get("minItems", 0):
                raise _invalid(f"{name}: too few values.")
            for value in values:
                _check(name, definition, value)
            return list(values)
        if len(values) != 1:
            raise _invalid(f"{name}: takes one value, not {len(values)}.")
        _check(name, definition, values[0])
        return values[0]


def find(name: str, kind: str) -> Document:
    """Return a document by name or ARN.

    Args:
        name: ``AWS-StartSSHSession``, or an ARN that ends in ``document/AWS-StartSSHSession``.
        kind: ``Session`` or ``Command``: what the caller is about to do with it.

    Raises:
        AwsError: InvalidDocument, where there is none of that name and kind.
    """
    document = DOCUMENTS.get(short_name(name))
    if document is None:
        raise AwsError("InvalidDocument", f"Document with name {short_name(name)} does not exist.")
    if document.kind != kind:
        raise AwsError(
            "InvalidDocument", f"Document type {document.kind} is not supported here; use a {kind} document."
        )
    return document


def short_name(name: str) -> str:
    """Return a document's name without the ARN in front of it."""
    return name.rpartition("document/")[2] if name.startswith("arn:") else name


def check_version(version: str | None) -> None:
    """Accept the one version that each document here has.

    Raises:
        AwsError: InvalidDocumentVersion.
    """
    if version not in (None, "", "1", "$DEFAULT", "$LATEST"):
        raise AwsError("InvalidDocumentVersion", f"Document version {version} does not exist.")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameters", message)


def _check(name: str, definition: Mapping[str, Any], value: str) -> None:
    pattern = definition.get("allowedPattern")
    if pattern is not None and re.fullmatch(pattern, value) is None:
        raise _invalid(f"{name}: the value does not match the pattern {pattern}")
    allowed = definition.get("allowedValues")
    if allowed is not None and value not in allowed:
        raise _invalid(f"{name}: the value is none of {', '.join(allowed)}.")
    if len(value) > definition.get("maxChars", len(value)):
        raise _invalid(f"{name}: the value has more than {definition['maxChars']} characters.")


def _string(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "String", "description": description, **more}


def _session(name: str, description: str, session_type: str, **more: Any) -> Document:
    content = {"schemaVersion": "1.0", "description": description, "sessionType": session_type, **more}
    return Document(name, "Session", content)


def _on_every_platform(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {platform: dict(properties) for platform in ("linux", "macos", "windows")}


_COMMAND = _string("(Required) Command to run on the node.")
_LOCAL = _string("(Optional) Port on the local machine; 0 takes a free one.", allowedPattern=_LOCAL_PORT, default="0")
_REMOTE = _string("(Optional) Port of the server on the node.", allowedPattern=_PORT, default="80")
_FORWARDING = {
    "portNumber": "{{ portNumber }}",
    "type": "LocalPortForwarding",
    "localPortNumber": "{{ localPortNumber }}",
}

_ALL = (
    _session(
        DEFAULT_SESSION_DOCUMENT,
        "Regional settings of Session Manager: a shell with nothing logged and nothing encrypted on top of TLS.",
        "Standard_Stream",
        inputs={
            "s3BucketName": "",
            "s3KeyPrefix": "",
            "s3EncryptionEnabled": True,
            "cloudWatchLogGroupName": "",
            "cloudWatchEncryptionEnabled": True,
            "cloudWatchStreamingEnabled": False,
            "kmsKeyId": "",
            "runAsEnabled": False,
            "runAsDefaultUser": "",
            "shellProfile": {"windows": "", "linux": ""},
        },
    ),
    _session(
        "AWS-StartSSHSession",
        "SSH session through Session Manager.",
        "Port",
        parameters={
            "portNumber": _string("(Optional) Port of the SSH server on the node.", allowedPattern=_PORT, default="22")
        },
        properties={"portNumber": "{{ portNumber }}"},
    ),
    _session(
        "AWS-StartPortForwardingSession",
        "Port forwarding session through Session Manager.",
        "Port",
        parameters={"portNumber": _REMOTE, "localPortNumber": _LOCAL},
        properties=_FORWARDING,
    ),
    _session(
        "AWS-StartPortForwardingSessionToRemoteHost",
        "Port forwarding session to a host that the node can reach.",
        "Port",
        parameters={
            "host": _string(
                "(Optional) Host name or address of the server.", allowedPattern=_HOST, default="localhost"
            ),
            "portNumber": _REMOTE,
            "localPortNumber": _LOCAL,
        },
        properties={"host": "{{ host }}", **_FORWARDING},
    ),
    _session(
        "AWS-StartInteractiveCommand",
        "One command on the node with a terminal.",
        "InteractiveCommands",
        parameters={"command": _COMMAND},
        properties=_on_every_platform({"commands": "{{ command }}", "runAsElevated": True}),
    ),
    _session(
        "AWS-StartNonInteractiveCommand",
        "One command on the node without a terminal.",
        "NonInteractiveCommands",
        parameters={
            "command": _COMMAND,
            "separateOutputStream": _string(
                "(Optional) Keep standard output and standard error apart, and send the exit code.",
                allowedValues=["True", "False"],
                default="False",
            ),
            "stdOutSeparatorPrefix": _string(
                "(Optional) Prefix of standard output.", allowedPattern=_PREFIX, default=""
            ),
            "stdErrSeparatorPrefix": _string(
                "(Optional) Prefix of standard error.", allowedPattern=_PREFIX, default=""
            ),
        },
        properties=_on_every_platform(
            {
                "commands": "{{ command }}",
                "runAsElevated": True,
                "separateOutputStream": "{{ separateOutputStream }}",
                "stdOutSeparatorPrefix": "{{ stdOutSeparatorPrefix }}",
                "stdErrSeparatorPrefix": "{{ stdErrSeparatorPrefix }}",
            }
        ),
    ),
    Document(
        "AWS-RunShellScript",
        "Command",
        {
            "schemaVersion": "1.2",
            "description": "Run a shell script or commands.",
            "parameters": {
                "commands": {
                    "type": "StringList",
                    "description": "(Required) Shell script or commands to run.",
                    "minItems": 1,
                    "displayType": "textarea",
                },
                "workingDirectory": _string("(Optional) Working directory on the node.", default="", maxChars=4096),
                "executionTimeout": _string(
                    "(Optional) Seconds after which a command that still runs has failed; 172800 at most.",
                    default="3600",
                    allowedPattern=_SECONDS,
                ),
            },
            "runtimeConfig": {
                "aws:runShellScript": {
                    "properties": [
                        {
                            "id": "0.aws:runShellScript",
                            "runCommand": "{{ commands }}",
                            "workingDirectory": "{{ workingDirectory }}",
                            "timeoutSeconds": "{{ executionTimeout }}",
                        }
                    ]
                }
            },
        },
    ),
)

#: Every document by name.
DOCUMENTS: dict[str, Document] = {document.name: document for document in _ALL}
