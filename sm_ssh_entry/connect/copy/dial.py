"""The ``ssh`` processes underneath: each with a Session Manager session of its own, so that N of them are N times as
fast where the service paces each."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.connect import keys, outcome, ssh_client, ssh_command
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.copy.remote import Remote, SessionLost
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.ssh_client import Notes
from sm_ssh_entry.errors import SessionFailed, SmSshError

# A user's own ~/.ssh/config must not open ports for each of our sessions, or run something else.
_OWN_OPTIONS = (
    "RemoteCommand=none",
    "RequestTTY=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
)
_BUFFER = 1 << 20
_END_SECONDS = 3.0


@dataclass(eq=False)
class Child:
    """An ``ssh`` with pipes, and the folder in which it and its proxy leave why they failed.

    Attributes:
        process: the child.
        kept: its folder.
    """

    process: asyncio.subprocess.Process
    kept: Notes

    @property
    def incoming(self) -> asyncio.StreamReader:
        """What it prints."""
        assert self.process.stdout is not None  # noqa: S101 - it was started with a pipe
        return self.process.stdout

    @property
    def outgoing(self) -> asyncio.StreamWriter:
        """What it reads."""
        assert self.process.stdin is not None  # noqa: S101 - it was started with a pipe
        return self.process.stdin

    async def failure(self) -> SmSshError:
        """Return why it ended: its proxy's reason, else its own."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.process.wait(), _END_SECONDS)
        left = outcome.taken(self.kept.outcome)
        if left is not None:
            return left[0]
        said = self._said()
        if self.process.returncode not in (None, ssh_client.SSH_FAILED) and said:
            return SessionFailed(f"the node does not take files: {said[-1].strip()}", hint="is its sshd without sftp?")
        return ssh_client.failure(said)

    async def end(self) -> None:
        """End it: by the end of its input, and where that does not do, at once."""
        with contextlib.suppress(OSError, RuntimeError):
            self.outgoing.close()
        try:
            await command.see_out(self.process, _END_SECONDS)
        finally:
            shutil.rmtree(self.kept.folder, ignore_errors=True)

    def _said(self) -> list[str]:
        with contextlib.suppress(OSError):
            text = (self.kept.folder / "stderr").read_text(encoding="utf-8", errors="replace")
            return [line.rstrip("\r") for line in text.split("\n") if line.strip()]
        return []


@dataclass(eq=False)
class Link:
    """A child that speaks SFTP."""

    child: Child
    remote: Remote

    async def end(self) -> None:
        """End the session."""
        try:
            await self.remote.end()
        finally:
            await self.child.end()


@dataclass
class Route:
    """The way to a node.

    Attributes:
        target: whom to reach.
        reach: how.
        asks: whether the next ``ssh`` may ask for a passphrase; only one at a time can.
    """

    target: Target
    reach: Reach
    asks: bool = True
    _keys: tuple[Key, ...] = field(default=())

    async def sftp(self) -> Link:
        """Open an SFTP session.

        Raises:
            SmSshError: why not.
        """
        child = await self._start("-s", "sftp")
        link = Link(child, Remote(child.incoming, child.outgoing))
        try:
            try:
                await link.remote.begin()
            except SessionLost:
                raise await child.failure() from None
        except BaseException:
            await link.end()
            raise
        self.asks = False
        return link

    async def shell(self, line: str) -> Child:
        """Start a line of the remote shell, with pipes.

        Args:
            line: nothing secret: others on the node may see it.
        """
        return await self._start("-T", line)

    async def _start(self, option: str, what: str) -> Child:
        self._keys = self._keys or keys.candidates(self.reach.identity)
        kept = Notes(Path(tempfile.mkdtemp(prefix="sm-ssh-")))
        own = [word for setting in _OWN_OPTIONS for word in ("-o", setting)]
        batch = () if self.asks else ("-o", "BatchMode=yes")
        argv = ssh_command.ssh_argv(
            self.target,
            ssh_command.proxy_words(self.target, self.reach, outcome=kept.outcome),
            self._keys,
            ssh_command.Words(options=(*own, *batch, option), command=(what,)),
        )
        with (kept.folder / "stderr").open("wb") as errors:
            process = await command.spawn_async(
                argv, stdin=command.PIPE, stdout=command.PIPE, stderr=errors, limit=_BUFFER
            )
        return Child(process, kept)
