"""The control channel of a node: sessions and commands go out on it, and what became of them comes back.

Protocol page, sections 6.2, 9.1 and 10.4. A frame that makes no sense is dropped; it harms neither the channel nor the
process. A node can speak of its own sessions and commands only.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from sm_ssh_entry.plane.run_command import Command, Invocation, find_job, untold
from sm_ssh_entry.plane.sockets import Socket
from sm_ssh_entry.plane.store import Node, Store
from sm_ssh_entry.wire.control import (
    CancelCommand,
    JobAck,
    JobReply,
    JobReplyAck,
    RunCommand,
    TaskAcknowledge,
    TaskComplete,
)
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import AgentMessage, MessageType, decode, encode

_log = logging.getLogger(__name__)

_SHORTEST_PAUSE = 0.05


class AgentControl:
    """An open control channel, as the node's record holds it.

    Args:
        store: the state.
        node: the node.
        socket: its WebSocket.
    """

    def __init__(self, store: Store, node: Node, socket: Socket) -> None:
        self._store = store
        self._node = node
        self._socket = socket
        self._resending: asyncio.Task[None] | None = None

    async def send(self, frame: bytes) -> bool:
        """Send one frame. False: the agent is gone."""
        return await self._socket.send(frame)

    async def close(self) -> None:
        """Close the channel."""
        await self._socket.close()

    def abort(self) -> None:
        """Cut it now."""
        self._socket.abort()

    def expect_receipt(self) -> None:
        """Send again, by and by, what the agent does not acknowledge."""
        if self._resending is None or self._resending.done():
            self._resending = asyncio.get_running_loop().create_task(self._resend())

    def detached(self) -> None:
        """Send nothing more."""
        if self._resending is not None:
            self._resending.cancel()

    async def _resend(self) -> None:
        while True:
            now = self._store.clock()
            due = [at for _, _, at in untold(self._store.commands, self._node.node_id, now)]
            if not due:
                return
            await asyncio.sleep(max(_SHORTEST_PAUSE, min(due) - now))
            await deliver_commands(self._store, self._node)


def message(kind: MessageType, payload: bytes) -> AgentMessage:
    """Build a message of the service with a fresh id and the present time."""
    return AgentMessage(kind, payload, uuid.uuid4(), time.time_ns() // 1_000_000)


async def push(store: Store, node_id: str, to_send: AgentMessage) -> bool:
    """Send a message on a node's control channel. False: it has none, or it broke just now."""
    node = store.nodes.get(node_id)
    return node is not None and node.control is not None and await node.control.send(encode(to_send))


async def deliver_commands(store: Store, node: Node) -> None:
    """Send a node every job and cancellation that is due to it; the control channel sees to it that it hears them."""
    now = store.clock()
    for command, invocation, due in list(untold(store.commands, node.node_id, now)):
        if due > now or node.control is None:
            continue
        invocation.note_sent(now)
        node.control.expect_receipt()
        await node.control.send(encode(message(MessageType.AGENT_JOB, _job(command, invocation))))


def _job(command: Command, invocation: Invocation) -> bytes:
    if invocation.cancel_id:
        return CancelCommand(invocation.cancel_id, invocation.job_id).encode()
    return RunCommand(
        job_id=invocation.job_id,
        command_id=command.command_id,
        document_name=command.document.name,
        document=dict(command.document.content),
        parameters=command.arguments,
    ).encode()


async def serve(store: Store, node: Node, socket: Socket) -> None:
    """Be the service on a node's control channel until it closes. A newer channel of the same node replaces it."""
    control = AgentControl(store, node, socket)
    before = node.attach(control, store.clock())
    closing = asyncio.gather(*([before.close()] if before is not None else []))
    try:
        await _tell_again(store, node)
        async for frame in socket.frames():
            try:
                await _take(store, node, decode(frame))
            except RemoteProtocolError as error:
                _log.debug("< control channel of %s: dropped a message: %s", node.node_id, error)
    finally:
        control.detached()
        node.detach(control, store.clock())
        await closing


async def _tell_again(store: Store, node: Node) -> None:
    """Repeat what the node was told on an earlier channel and has not shown that it heard."""
    for session in list(store.sessions.values()):
        if session.node_id == node.node_id and session.link is not None and not session.over:
            await session.link.tell_agent()
    for command in store.commands.values():
        if node.node_id in command.invocations:
            command.invocations[node.node_id].channel_opened()
    await deliver_commands(store, node)


async def _take(store: Store, node: Node, received: AgentMessage) -> None:
    if received.message_type == MessageType.AGENT_JOB_ACK:
        ack = JobAck.decode(received.payload)
        invocation = find_job(store.commands, ack.job_id, node.node_id)
        if invocation is not None:
            invocation.acknowledged(ack)
    elif received.message_type == MessageType.AGENT_JOB_REPLY:
        await _replied(store, node, received)
    elif received.message_type == MessageType.AGENT_TASK_COMPLETE:
        await _completed(store, node, received)


async def _replied(store: Store, node: Node, received: AgentMessage) -> None:
    reply = JobReply.decode(received.payload)
    invocation = find_job(store.commands, reply.job_id, node.node_id)
    if invocation is not None:
        invocation.replied(reply)
    # Also for a job that nobody knows any more: the agent would send it again for two hours.
    receipt = JobReplyAck(reply.job_id, str(received.message_id)).encode()
    await push(store, node.node_id, message(MessageType.AGENT_JOB_REPLY_ACK, receipt))
    if invocation is not None and invocation.status.final:
        # There may be room now for a job that the agent's full buffer refused.
        await deliver_commands(store, node)


async def _completed(store: Store, node: Node, received: AgentMessage) -> None:
    done = TaskComplete.decode(received.payload)
    receipt = TaskAcknowledge(str(received.message_id), done.task_id, done.topic).encode()
    await push(store, node.node_id, message(MessageType.AGENT_TASK_ACKNOWLEDGE, receipt))
    session = store.sessions.get(done.task_id)
    if session is not None and session.node_id == node.node_id and session.link is not None:
        session.link.completed(done.output, failed=done.final_status == "Failed")
