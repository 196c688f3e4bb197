"""The legacy command queue (MDS): always empty, because commands wait for the node's control channel instead.

Protocol page, section 9.2. A node whose channel merely dropped does not poll here, so nothing is lost by that.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sm_ssh_entry.plane.api import Handler, Request
from sm_ssh_entry.plane.nodes import own_node
from sm_ssh_entry.plane.store import Store


async def get_messages(store: Store, request: Request) -> dict[str, Any]:
    """Hold the call back as AWS does, then say that there is nothing. After a quick answer it asks at once.

    Raises:
        AwsError: InvalidInstanceId, AccessDeniedException.
    """
    node_id = request.params["Destination"]
    own_node(store, request, node_id)
    await asyncio.sleep(store.settings.long_poll)
    return {"Destination": node_id, "MessagesRequestId": request.params["MessagesRequestId"], "Messages": []}


async def accept(store: Store, request: Request) -> dict[str, Any]:  # noqa: ARG001 - a handler's signature
    """Accept what the agent says about a message that this queue never gave it."""
    return {}


OPERATIONS: dict[str, Handler] = {
    "GetMessages": get_messages,
    "AcknowledgeMessage": accept,
    "SendReply": accept,
    "FailMessage": accept,
    "DeleteMessage": accept,
}
