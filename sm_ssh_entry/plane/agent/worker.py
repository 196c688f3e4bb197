"""The process that does the work: one event loop for credentials, heartbeat, control channel and what that brings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Coroutine
from typing import Any

from sm_ssh_entry.plane.agent import heartbeat
from sm_ssh_entry.plane.agent.calls import Caller
from sm_ssh_entry.plane.agent.control import Channels, ControlChannel
from sm_ssh_entry.plane.agent.credentials import Keeper
from sm_ssh_entry.plane.agent.identity import Identity, Vault
from sm_ssh_entry.plane.agent.journal import Journal
from sm_ssh_entry.plane.agent.processes import Children
from sm_ssh_entry.plane.agent.run_command import Commands
from sm_ssh_entry.plane.agent.service import Service
from sm_ssh_entry.plane.agent.sessions import Sessions
from sm_ssh_entry.plane.agent.settings import Settings
from sm_ssh_entry.wire.control import JobReplyAck, StartSession, TaskAcknowledge
from sm_ssh_entry.wire.errors import RemoteProtocolError
from sm_ssh_entry.wire.message import AgentMessage, MessageType
from sm_ssh_entry.wire.payloads import ChannelClosed

log = logging.getLogger(__name__)

# Sessions and commands get so long to end when the agent stops; the core kills what is left a little later.
CLOSE_SECONDS = 1.5


def preload() -> None:
    """Import what the worker will need. Done before the fork, it is done once, however often a worker is replaced."""
    import websockets.asyncio.client  # noqa: F401 - only to have it loaded


def run(settings: Settings, lifeline: socket.socket) -> int:
    """Be the worker until a signal, or until the core is gone; return the exit status.

    Args:
        settings: endpoints and root.
        lifeline: our end of the socket pair to the core.
    """
    # Read here and not in the core: an earlier worker may have rotated the key.
    vault = Vault(settings.paths)
    identity = vault.load()
    return asyncio.run(_Worker(settings, vault, identity, lifeline).run())


class _Worker:
    def __init__(self, settings: Settings, vault: Vault, identity: Identity, lifeline: socket.socket) -> None:
        self._lifeline = lifeline
        self._caller = Caller()
        self._service = Service(settings, identity)
        self._node_id = identity.node_id
        self._keeper = Keeper(self._service, self._caller, vault, identity)
        self._channels = Channels(self._service, self._caller, self._keeper, self._node_id)
        self._control = ControlChannel(self._channels.open_control, self._receive, _receipt)
        names = {"AWS_SSM_INSTANCE_ID": identity.node_id, "AWS_SSM_REGION_NAME": identity.region}
        children = Children(lifeline, names)
        state = settings.paths.ssm_state / identity.node_id
        journal = Journal(state / "commands")
        self._commands = Commands(self._control, children, journal, state / "document", self._node_id)
        self._sessions = Sessions(self._control, self._channels, children, settings, self._node_id)
        self._stop = asyncio.Event()
        self._failed = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        self._lifeline.setblocking(False)
        loop.add_reader(self._lifeline, self._core_spoke)
        self._commands.resume()
        tasks = [
            self._essential(self._keeper.run()),
            self._essential(heartbeat.run(self._service, self._caller, self._keeper, self._node_id)),
            self._essential(self._control.run()),
        ]
        await self._stop.wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(self._sessions.close(), self._commands.close()), CLOSE_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._caller.close()
        loop.remove_reader(self._lifeline)
        return 1 if self._failed else 0

    def _essential(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start what runs for ever. Should it fail all the same, this worker ends and the core starts another."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._check)
        return task

    def _check(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._stop.is_set():
            log.error("the worker cannot go on", exc_info=task.exception())
            self._failed = True
            self._stop.set()

    def _core_spoke(self) -> None:
        """The core says nothing on the lifeline; when it can be read, the core is gone."""
        with contextlib.suppress(BlockingIOError, OSError):
            if self._lifeline.recv(64):
                return
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self._stop.set()

    def _receive(self, message: AgentMessage) -> None:
        """Take one message of the control channel. Whatever is wrong with it costs a line in the log, no more."""
        try:
            if message.message_type == MessageType.AGENT_JOB:
                self._commands.receive(message)
            elif message.message_type == MessageType.INTERACTIVE_SHELL:
                self._sessions.start(StartSession.decode(message.payload))
            elif message.message_type == MessageType.CHANNEL_CLOSED:
                closed = ChannelClosed.decode(message.payload)
                self._sessions.terminate(closed.session_id, closed.output)
            else:
                log.warning("ignored a message of the control channel: %s", message)
        except RemoteProtocolError as error:
            log.warning("dropped %s: %s", message, error)


def _receipt(message: AgentMessage) -> tuple[str, ...] | None:
    """Read a receipt: what it settles, by the keys that ControlChannel.deliver waits for."""
    if message.message_type == MessageType.AGENT_JOB_REPLY_ACK:
        return (JobReplyAck.decode(message.payload).acknowledged_message_id,)
    if message.message_type == MessageType.AGENT_TASK_ACKNOWLEDGE:
        acknowledge = TaskAcknowledge.decode(message.payload)
        return (acknowledge.message_id, acknowledge.task_id)
    return None
