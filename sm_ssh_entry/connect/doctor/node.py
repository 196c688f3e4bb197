"""The managed node: has it registered, is its agent there, and does it carry what we rely on?"""

from __future__ import annotations

from sm_ssh_entry import contract
from sm_ssh_entry.connect import connect, hostkeys, places
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node, ago
from sm_ssh_entry.errors import AccessDenied, BadInput, ConnectionLost

# Sessions of earlier ones end by themselves when nothing is sent for a while.
AGENT = (3, 1, 1511)
_NATIVE = "SageMaker's own agent runs there, without tags"


def registered(case: Case) -> Finding:
    """Is there a node of that name?"""
    target = case.target or Target()
    try:
        case.place = places.find(case.access, target, case.reach)
    except ConnectionLost as error:
        case.lost = error
        return ok("yes, but not connected")
    except AccessDenied as error:
        return unchecked(error.message, blocked=True)
    node = case.place.node
    if case.place.native:
        return ok(f"none is needed: {_NATIVE}, at {node.node_id}")
    hop = f", and from there to {case.place.hop}" if case.place.hop else ""
    return ok("; ".join([f"{node.node_id}, registered {ago(node.registered)}{hop}", *case.place.remarks]))


def online(case: Case) -> Finding:
    """Is its agent connected?"""
    if case.lost is not None:
        return bad(case.lost.message, case.lost.hint)
    node = _node(case)
    return ok(_NATIVE if case.native else f"{node.ping}, last heard {ago(node.last_ping)}")


def agent(case: Case) -> Finding:
    """Is its agent new enough?"""
    version = _node(case).agent_version
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    if not numbers:
        return unchecked(_NATIVE if case.native else "it has not told its version")
    if numbers[:3] < AGENT:
        wanted = ".".join(str(part) for part in AGENT)
        return bad(
            f"amazon-ssm-agent {version} is older than {wanted}",
            "build the image again with a newer agent: sm-ssh image fetch, then sm-ssh image wrap",
        )
    return ok(f"amazon-ssm-agent {version}")


def owner(case: Case) -> Finding:
    """Does its owner's tag name the caller?"""
    if case.native:
        return unchecked(_NATIVE)
    value, me = _node(case).tag(contract.TAG_OWNER), case.known_identity().user_id
    if not value:
        return unchecked(f"it has no tag {contract.TAG_OWNER}: a policy by owner lets nobody in, others may")
    if value != me:
        return bad(
            f"{_node(case).host} belongs to {value}, and you are {me}",
            f"submit the job with {contract.SSH_OWNER_TAG}={me}, or let its owner do so",
        )
    return ok(value)


def tags(case: Case) -> Finding:
    """Do its tags tell sshd's port and host key?"""
    if case.native:
        return unchecked(_NATIVE)
    node = _node(case)
    again = "restart the job: its entrypoint sets the tags anew"
    try:
        port = connect.port_of(node)
        key = node.tag(contract.TAG_HOST_KEY)
        if not key:
            return bad(f"it has no tag {contract.TAG_HOST_KEY}: its host key cannot be checked", again)
        return ok(f"port {port}, host key {hostkeys.fingerprint(key)}")
    except BadInput as error:
        return bad(error.message, again)


def _node(case: Case) -> Node:
    assert case.place is not None  # noqa: S101 - node.online is among what these checks need
    return case.place.node
