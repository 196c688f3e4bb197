"""A probe over ``ssh``, each with a session of its own."""

from __future__ import annotations

import asyncio

from sm_ssh_entry import command
from sm_ssh_entry.connect import keys, speed, ssh_command
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.ssh_client import Notes
from sm_ssh_entry.errors import SessionFailed


class SshProbe:
    """One run of ``ssh`` with the script as its command."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def send(self, data: bytes) -> None:
        """See ``speed.Probe``."""
        assert self._child.stdin is not None  # noqa: S101 - asked for below
        try:
            self._child.stdin.write(data)
            await self._child.stdin.drain()
        except OSError as error:
            raise _ended() from error

    async def receive(self) -> bytes:
        """See ``speed.Probe``."""
        assert self._child.stdout is not None  # noqa: S101 - asked for below
        data = await self._child.stdout.read(1 << 18)
        if not data:
            raise _ended()
        return data

    async def close(self) -> None:
        """See ``speed.Probe``. ``ssh`` is told to end, so that it ends its ProxyCommand, which ends the session."""
        await command.see_out(self._child, patience=0.0)


async def open_probe(target: Target, reach: Reach, notes: Notes) -> speed.Probe:
    """Log in and start the script.

    Args:
        target: whom to reach.
        reach: how.
        notes: where the proxy may note why it failed.

    Raises:
        SessionFailed: the login failed; ``ssh`` and the proxy have said why.
        ToolMissing: there is no ``ssh``.
    """
    proxy = ssh_command.proxy_words(target, reach, outcome=notes.outcome)
    # Without a shared connection: each probe is to have a session of its own.
    words = ssh_command.Words(options=("-T", "-S", "none"), command=(f"exec sh -c {command.join([speed.SCRIPT])}",))
    argv = ssh_command.ssh_argv(target, proxy, keys.candidates(reach.identity), words)
    child = await command.spawn_async(argv, stdin=command.PIPE, stdout=command.PIPE, limit=1 << 20)
    probe = SshProbe(child)
    try:
        await speed.ready(probe)
    except BaseException:
        await probe.close()
        raise
    return probe


def _ended() -> SessionFailed:
    return SessionFailed("ssh has ended before the measurement was over", hint="the lines above say why")
