"""The folders of a copy: made before what is in them, given their modes and times after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
from collections.abc import Iterator, Sequence
from itertools import groupby

from sm_ssh_entry.connect.copy import failures
from sm_ssh_entry.connect.copy.attributes import Attributes
from sm_ssh_entry.connect.copy.plan import Copy, Plan
from sm_ssh_entry.connect.copy.remote import Refused, Remote

# While files are put into it, a folder is ours to write to.
_WRITABLE = 0o700
_AT_ONCE = 64


async def make_there(plan: Plan, remote: Remote, host: str) -> None:
    """Make the folders of a plan on a node, level by level.

    Raises:
        SmSshError: one cannot be made.
    """
    for level in _levels(plan.folders):
        await asyncio.gather(*(_make(remote, copy, host) for copy in level))


async def finish_there(plan: Plan, remote: Remote) -> None:
    """Give the folders on a node their modes and times; one that is not ours to change stays as it is."""
    for level in reversed(list(_levels(_ours(plan)))):
        await asyncio.gather(*(_set(remote, copy) for copy in level))


def make_here(plan: Plan) -> None:
    """Make the folders of a plan on this machine.

    Raises:
        SmSshError: one cannot be made.
    """
    for copy in plan.folders:
        try:
            os.makedirs(copy.to, exist_ok=True)  # noqa: PTH103 - paths are texts throughout
            if copy.to not in plan.keep and copy.found.mode is not None and copy.found.mode & _WRITABLE != _WRITABLE:
                os.chmod(copy.to, copy.found.mode | _WRITABLE)  # noqa: PTH101
        except OSError as error:
            raise failures.here(error, copy.to) from error


def finish_here(plan: Plan, umask: int) -> None:
    """Give the folders on this machine their modes and times."""
    for copy in reversed(_ours(plan)):
        with contextlib.suppress(OSError):
            if copy.found.mode is not None and os.name != "nt":
                os.chmod(copy.to, copy.found.mode & ~umask)  # noqa: PTH101
            os.utime(copy.to, (copy.found.seconds, copy.found.seconds))


def _ours(plan: Plan) -> list[Copy]:
    return [copy for copy in plan.folders if copy.to not in plan.keep]


def _levels(folders: Sequence[Copy]) -> Iterator[list[Copy]]:
    """Sort folders by depth; no more at once than a session takes well."""
    ordered = sorted(folders, key=lambda copy: copy.to.count("/"))
    for _, group in groupby(ordered, key=lambda copy: copy.to.count("/")):
        level = list(group)
        for first in range(0, len(level), _AT_ONCE):
            yield level[first : first + _AT_ONCE]


async def _make(remote: Remote, copy: Copy, host: str) -> None:
    try:
        await remote.mkdir(copy.to, None if copy.found.mode is None else copy.found.mode | _WRITABLE)
    except Refused as error:
        with contextlib.suppress(Refused):
            about = await remote.find(copy.to)
            if about is not None and about.is_folder:
                return
        raise await failures.of_write(error, remote, posixpath.dirname(copy.to), host) from error


async def _set(remote: Remote, copy: Copy) -> None:
    times = (copy.found.seconds, copy.found.seconds)
    with contextlib.suppress(Refused):
        await remote.set(copy.to, Attributes(permissions=copy.found.mode, times=times))
