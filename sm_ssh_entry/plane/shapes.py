"""Shapes of the operations that the agent calls and the public SSM model lacks, in botocore's own notation.

From the protocol page, sections 2.2, 3, 4 and 9.2. Unknown members are ignored, as AWS does, so a later agent that
sends more is still served.
"""

from __future__ import annotations

from typing import Any

_MI_PATTERN = "^mi-[0-9a-f]{17}$"
_UUID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

_STRINGS: dict[str, dict[str, Any]] = {
    "PrivateText": {"type": "string", "max": 4096},
    "PrivateNodeId": {"type": "string", "min": 1, "max": 124, "pattern": _MI_PATTERN},
    "PrivateUuid": {"type": "string", "pattern": _UUID_PATTERN},
    "PrivateActivationCode": {"type": "string", "min": 20, "max": 250, "sensitive": True},
    "PrivatePublicKey": {"type": "string", "min": 1, "max": 4096, "sensitive": True},
    "PrivateKeyType": {"type": "string", "enum": ["Rsa"]},
    "PrivatePlatform": {"type": "string", "enum": ["Windows", "Linux", "MacOS"]},
    "PrivateAgentStatus": {"type": "string", "enum": ["Active", "Inactive"]},
    "PrivateCount": {"type": "integer", "min": 0, "max": 43200},
    "PrivatePage": {"type": "integer", "min": 1, "max": 50},
    # A reply carries a command's output. Protocol page, section 8: at most 142 000 bytes with its wrapping.
    "PrivatePayload": {"type": "string", "max": 200_000, "sensitive": True},
}

_SSM: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "RegisterManagedInstance": (
        {
            "ActivationCode": "PrivateActivationCode",
            "ActivationId": "PrivateUuid",
            "PublicKey": "PrivatePublicKey",
            "PublicKeyType": "PrivateKeyType",
            "Fingerprint": "PrivateUuid",
        },
        ("ActivationCode", "ActivationId", "PublicKey", "PublicKeyType", "Fingerprint"),
    ),
    "RequestManagedInstanceRoleToken": ({"Fingerprint": "PrivateUuid"}, ("Fingerprint",)),
    "UpdateManagedInstancePublicKey": (
        {"NewPublicKey": "PrivatePublicKey", "NewPublicKeyType": "PrivateKeyType"},
        ("NewPublicKey", "NewPublicKeyType"),
    ),
    "UpdateInstanceInformation": (
        {
            "InstanceId": "PrivateNodeId",
            "AgentName": "PrivateText",
            "AgentStatus": "PrivateAgentStatus",
            "AgentVersion": "PrivateText",
            "AvailabilityZone": "PrivateText",
            "AvailabilityZoneId": "PrivateText",
            "ComputerName": "PrivateText",
            "IPAddress": "PrivateText",
            "PlatformName": "PrivateText",
            "PlatformType": "PrivatePlatform",
            "PlatformVersion": "PrivateText",
            "SSMConnectionChannel": "PrivateText",
        },
        ("InstanceId",),
    ),
    "ListInstanceAssociations": (
        {"InstanceId": "PrivateNodeId", "MaxResults": "PrivatePage", "NextToken": "PrivateText"},
        ("InstanceId",),
    ),
    "UpdateInstanceAssociationStatus": (
        {"InstanceId": "PrivateNodeId", "AssociationId": "PrivateText"},
        ("InstanceId", "AssociationId"),
    ),
}

_MDS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "GetMessages": (
        {
            "Destination": "PrivateNodeId",
            "MessagesRequestId": "PrivateText",
            "VisibilityTimeoutInSeconds": "PrivateCount",
        },
        ("Destination", "MessagesRequestId"),
    ),
    "AcknowledgeMessage": ({"MessageId": "PrivateText"}, ("MessageId",)),
    "DeleteMessage": ({"MessageId": "PrivateText"}, ("MessageId",)),
    "FailMessage": ({"MessageId": "PrivateText", "FailureType": "PrivateText"}, ("MessageId",)),
    "SendReply": (
        {"MessageId": "PrivateText", "ReplyId": "PrivateText", "Payload": "PrivatePayload"},
        ("MessageId", "ReplyId", "Payload"),
    ),
}


def extend(model: dict[str, Any]) -> dict[str, Any]:
    """Return the public SSM model with the private operations added.

    Args:
        model: ``service-2.json`` of SSM as botocore ships it; not changed.
    """
    return model | _definitions(_SSM, model["operations"], model["shapes"])


def message_delivery() -> dict[str, Any]:
    """Return a model of the legacy command queue, whose target prefix is ``EC2WindowsMessageDeliveryService``."""
    metadata = {
        "apiVersion": "2013-11-18",
        "endpointPrefix": "ec2messages",
        "protocol": "json",
        "jsonVersion": "1.1",
        "serviceId": "EC2 Messages",
        "targetPrefix": "EC2WindowsMessageDeliveryService",
    }
    return {"metadata": metadata} | _definitions(_MDS, {}, {})


def _definitions(
    table: dict[str, tuple[dict[str, str], tuple[str, ...]]], operations: dict[str, Any], shapes: dict[str, Any]
) -> dict[str, Any]:
    operations, shapes = dict(operations), shapes | _STRINGS
    for name, (members, required) in table.items():
        shapes[f"{name}Private"] = {
            "type": "structure",
            "required": list(required),
            "members": {member: {"shape": shape} for member, shape in members.items()},
        }
        operations[name] = {
            "name": name,
            "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": f"{name}Private"},
        }
    return {"operations": operations, "shapes": shapes}
