"""Session Manager's operations: StartSession, ResumeSession, TerminateSession and DescribeSessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane import native
from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.control_channel import message
from sm_ssh_entry.plane.data_channel import SessionLink
from sm_ssh_entry.plane.documents import DEFAULT_SESSION_DOCUMENT, find
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.sessions import Session, Status, forget_oldest, new_session_id, next_serial
from sm_ssh_entry.plane.store import Node, Store
from sm_ssh_entry.wire.control import StartSession
from sm_ssh_entry.wire.message import MessageType

# Code and text as users of the real service report them (aws-samples/sagemaker-ssh-helper, issues 11 and 44).
TIER_OFF = "Enable advanced-instances tier to use Session Manager with your on-premises instances"


async def start_session(store: Store, request: Request) -> dict[str, Any]:
    """StartSession: tell the agent, and give the caller what opens the client's end of the data channel."""
    params = request.params
    name = params.get("DocumentName") or DEFAULT_SESSION_DOCUMENT
    # What is wrong with the document is said before anything about the target.
    find(name, "Session").arguments(params.get("Parameters") or {})
    node = await _connected_node(store, params["Target"], request.region)
    return await open_session(store, request, node, name, params.get("Parameters") or {})


async def open_session(
    store: Store, request: Request, node: Node, name: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Open a session on a connected node and return what its caller is told.

    Args:
        store: the state.
        request: the caller's.
        node: the node.
        name: the session document.
        parameters: of the document.

    Raises:
        AwsError: InvalidDocument, InvalidParameters; TargetNotConnected, where the node is gone meanwhile.
    """
    params = request.params
    document = find(name, "Session")
    arguments = {key: str(value) for key, value in document.arguments(parameters).items()}
    owner = request.caller.arn
    session = Session(
        session_id=new_session_id(owner),
        node_id=node.node_id,
        region=node.region,
        document=document,
        arguments=arguments,
        owner=owner,
        started=store.clock(),
        reason=params.get("Reason", ""),
        serial=next_serial(store.sessions),
        target=node.target,
    )
    store.sessions[session.session_id] = session
    order = StartSession(
        session_id=session.session_id,
        document_name=document.name,
        document=dict(document.content),
        parameters=arguments,
        session_owner=owner,
    )
    session.link = SessionLink(store, session, message(MessageType.INTERACTIVE_SHELL, order.encode()))
    if not await session.link.tell_agent():
        session.link.abandon("The node went away before it heard of the session.")
        raise _not_connected(node.target or node.node_id)
    forget_oldest(store.sessions)
    return _opener(store, request, session)


async def resume_session(store: Store, request: Request) -> dict[str, Any]:
    """ResumeSession: another token for the client's end.

    One that is over has none to give; the official plugin takes an answer without a token for "timed out"
    (protocol page, section 6.2).
    """
    session = _session(store, request)
    if session.over or session.status is Status.TERMINATING:
        return {"SessionId": session.session_id}
    return _opener(store, request, session)


async def terminate_session(store: Store, request: Request) -> dict[str, Any]:
    """TerminateSession: close both ends. A session that is over stays so."""
    session = _session(store, request)
    if session.link is not None and not session.over:
        session.link.end()
    return {"SessionId": session.session_id}


async def describe_sessions(store: Store, request: Request) -> dict[str, Any]:
    """DescribeSessions: Active or History, newest first."""
    params = request.params
    over = params["State"] == "History"
    wanted = [_test(one["key"], one["value"]) for one in params.get("Filters") or []]
    found = [
        session
        for session in reversed(list(store.sessions.values()))
        if session.region == request.region and session.over == over and all(test(session) for test in wanted)
    ]
    shown, more = page(request, found, lambda session: -session.serial, default=200)
    return {"Sessions": [_describe(store, session) for session in shown], **more}


async def get_connection_status(store: Store, request: Request) -> dict[str, Any]:
    """GetConnectionStatus: whether a session could be opened now."""
    target = request.params["Target"]
    if native.is_target(target):
        node = await native.connected(store, target, request.region)
    else:
        node = _managed(store, target, request.region)
    connected = node is not None and node.control is not None
    return {"Target": target, "Status": "connected" if connected else "notconnected"}


OPERATIONS: dict[str, Handler] = {
    "StartSession": start_session,
    "ResumeSession": resume_session,
    "TerminateSession": terminate_session,
    "DescribeSessions": describe_sessions,
    "GetConnectionStatus": get_connection_status,
}


async def _connected_node(store: Store, target: str, region: str) -> Node:
    if native.is_target(target):
        own = await native.connected(store, target, region)
        if own is None:
            raise _not_connected(target)
        return own
    node = _managed(store, target, region)
    if node is not None and store.tier(region) != "advanced":
        raise AwsError("BadRequest", TIER_OFF)
    if node is None or node.control is None:
        raise _not_connected(target)
    return node


def _managed(store: Store, target: str, region: str) -> Node | None:
    node = store.nodes.get(target, region)
    return None if node is None or node.target else node


def _not_connected(target: str) -> AwsError:
    return AwsError("TargetNotConnected", f"{target} is not connected.")


def _session(store: Store, request: Request) -> Session:
    session_id = request.params["SessionId"]
    session = store.sessions.get(session_id)
    if session is None or session.region != request.region:
        raise AwsError("DoesNotExistException", f"Session {session_id} does not exist.")
    return session


def _opener(store: Store, request: Request, session: Session) -> dict[str, Any]:
    scheme = "wss" if request.scheme == "https" else "ws"
    return {
        "SessionId": session.session_id,
        "TokenValue": store.tokens.issue("client", session.session_id),
        "StreamUrl": f"{scheme}://{request.host}/v1/data-channel/{session.session_id}?role=publish_subscribe",
    }


def _describe(store: Store, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {
        "SessionId": session.session_id,
        "Target": session.target or session.node_id,
        "Status": session.status.value,
        "StartDate": session.started,
        "DocumentName": session.document.name,
        "Owner": session.owner,
        "Details": session.details[:1024] or None,
        "Reason": session.reason or None,
        "EndDate": session.ended,
        "AccessType": "Standard",
    }
    if store.settings.session_duration is not None:
        found["MaxSessionDuration"] = str(max(1, round(store.settings.session_duration / 60)))
    return {name: value for name, value in found.items() if value is not None}


def _test(key: str, value: str) -> Callable[[Session], bool]:
    if key in ("InvokedAfter", "InvokedBefore"):
        at = _epoch(value)
        if key == "InvokedAfter":
            return lambda session: session.started > at
        return lambda session: session.started < at
    fields: dict[str, Callable[[Session], str]] = {
        "Target": lambda session: session.target or session.node_id,
        "Owner": lambda session: session.owner,
        "Status": lambda session: session.status.value,
        "SessionId": lambda session: session.session_id,
        "AccessType": lambda _: "Standard",
    }
    if key not in fields:
        raise AwsError("InvalidFilterKey", f"{key} is not a key of this operation's filters.")
    field = fields[key]
    return lambda session: field(session) == value


def _epoch(text: str) -> float:
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise AwsError("ValidationException", "A filter's time is not of the form 2018-08-29T00:00:00Z.") from error
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()
