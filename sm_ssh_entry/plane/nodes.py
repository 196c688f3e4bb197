"""Managed nodes: registration, role credentials, key rotation, heartbeat, deregistration.

What the agent calls is described in the protocol page, sections 2 to 4.
"""

from __future__ import annotations

import hmac
from typing import Any

from sm_ssh_entry.plane import activations
from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.signature import public_key_of
from sm_ssh_entry.plane.store import Node, Store, partition_of

# Contract page, section 5.1: the standard tier holds so many nodes of one account and region.
STANDARD_TIER_NODES = 1000
_ACCEPTED_KEY = "The public key must be the base64 of a DER SubjectPublicKeyInfo of an RSA key of 2048 bits or more."


async def register_managed_instance(store: Store, request: Request) -> dict[str, Any]:
    """Register a node with an activation; the caller has no credentials yet, the activation's code stands for them.

    Raises:
        AwsError: InvalidActivation; ValidationException for a key that is none.
    """
    params = request.params
    _require_key(params["PublicKey"])
    activation = activations.use(store, params["ActivationId"], params["ActivationCode"])
    tier_full = len(store.nodes.of(activation.region)) >= STANDARD_TIER_NODES
    if tier_full and store.tier(activation.region) == "standard":
        activation.registrations -= 1
        # The code is of our choosing: what the real service answers here is not documented.
        raise AwsError(
            "RegistrationLimitExceeded",
            f"The standard-instances tier holds {STANDARD_TIER_NODES} nodes; turn on the advanced-instances tier.",
        )
    node = store.nodes.register(
        activation, public_key=params["PublicKey"], fingerprint=params["Fingerprint"], now=store.clock()
    )
    return {"InstanceId": node.node_id}


async def request_role_token(store: Store, request: Request) -> dict[str, Any]:
    """Give a node temporary credentials of its role. All five fields: the agent reads each without looking.

    Raises:
        AwsError: MachineFingerprintDoesNotMatch.
    """
    node = store.nodes.require(request.caller.node_id)
    if not hmac.compare_digest(node.fingerprint.lower().encode(), request.params["Fingerprint"].lower().encode()):
        raise AwsError("MachineFingerprintDoesNotMatch", "The fingerprint is not that of the machine that registered.")
    lifetime = store.settings.token_lifetime
    role = node.iam_role.rpartition("/")[2]
    credential = store.credentials.issue(
        expires_in=lifetime,
        user_arn=f"arn:{partition_of(node.region)}:sts::{store.account}:assumed-role/{role}/{node.node_id}",
        user_id=f"AROA{_stable_id(node.iam_role)}:{node.node_id}",
        node_id=node.node_id,
    )
    return {
        "AccessKeyId": credential.access_key,
        "SecretAccessKey": credential.secret,
        "SessionToken": credential.token,
        "TokenExpirationDate": credential.expires,
        "UpdateKeyPair": store.settings.rotate_key,
    }


async def update_public_key(store: Store, request: Request) -> dict[str, Any]:
    """Replace a node's key; the request was signed with the old one.

    Raises:
        AwsError: ValidationException.
    """
    _require_key(request.params["NewPublicKey"])
    store.nodes.require(request.caller.node_id).public_key = request.params["NewPublicKey"]
    return {}


async def update_instance_information(store: Store, request: Request) -> dict[str, Any]:
    """Note a heartbeat and what it says about the machine. The short form at start leaves the rest as it was.

    Raises:
        AwsError: InvalidInstanceId, AccessDeniedException.
    """
    node = own_node(store, request, request.params["InstanceId"])
    node.ping(store.clock())
    node.info.update({key: value for key, value in request.params.items() if key != "InstanceId" and value})
    return {}


async def deregister_managed_instance(store: Store, request: Request) -> dict[str, Any]:
    """Forget a node; its role credentials end with it and its channel is closed.

    Raises:
        AwsError: InvalidInstanceId.
    """
    node = store.nodes.managed(request.params["InstanceId"], request.region)
    store.nodes.remove(node)
    store.credentials.drop_node(node.node_id)
    channel, node.control = node.control, None
    if channel is not None:
        await channel.close()
    return {}


async def update_managed_instance_role(store: Store, request: Request) -> dict[str, Any]:
    """Give a node another role, which its next credentials are of.

    Raises:
        AwsError: InvalidInstanceId.
    """
    store.nodes.managed(request.params["InstanceId"], request.region).iam_role = request.params["IamRole"]
    return {}


async def list_instance_associations(store: Store, request: Request) -> dict[str, Any]:
    """Say that a node has no associations. The agent asks once, about ten seconds after its start.

    Raises:
        AwsError: InvalidInstanceId, AccessDeniedException.
    """
    own_node(store, request, request.params["InstanceId"])
    return {"Associations": []}


async def accept_report(store: Store, request: Request) -> dict[str, Any]:
    """Take a report that the agent may send (inventory, compliance, state of an association) and keep nothing of it.

    Raises:
        AwsError: InvalidInstanceId, AccessDeniedException.
    """
    if "InstanceId" in request.params:
        own_node(store, request, request.params["InstanceId"])
    return {}


def own_node(store: Store, request: Request, node_id: str) -> Node:
    """Return the node a request is about; one node may not speak for another.

    Raises:
        AwsError: InvalidInstanceId, AccessDeniedException.
    """
    node = store.nodes.require(node_id, request.region)
    if request.caller.node_id not in ("", node_id):
        raise AwsError(
            "AccessDeniedException",
            f"User: {request.caller.arn} is not authorized to perform: ssm:{request.operation} for {node_id}",
        )
    return node


def _require_key(text: str) -> None:
    try:
        public_key_of(text)
    except ValueError as error:
        raise AwsError("ValidationException", _ACCEPTED_KEY) from error


def _stable_id(role: str) -> str:
    import base64
    import hashlib

    return base64.b32encode(hashlib.sha256(role.encode()).digest()).decode()[:17]


OPERATIONS: dict[str, Handler] = {
    "RegisterManagedInstance": register_managed_instance,
    "RequestManagedInstanceRoleToken": request_role_token,
    "UpdateManagedInstancePublicKey": update_public_key,
    "UpdateInstanceInformation": update_instance_information,
    "DeregisterManagedInstance": deregister_managed_instance,
    "UpdateManagedInstanceRole": update_managed_instance_role,
    "ListInstanceAssociations": list_instance_associations,
    "UpdateInstanceAssociationStatus": accept_report,
    "PutInventory": accept_report,
    "PutComplianceItems": accept_report,
}
