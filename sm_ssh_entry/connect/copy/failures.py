"""What goes wrong with a file, in the user's words: which side, which path, which exit code."""

from __future__ import annotations

import errno

from sm_ssh_entry.connect.copy import packets
from sm_ssh_entry.connect.copy.remote import Refused, Remote
from sm_ssh_entry.connect.copy.shown import shown
from sm_ssh_entry.errors import AccessDenied, NoSpace, NotFound, SmSshError

AGAIN = "the same command goes on where it was"
_FULL_HINT = f"make room, then {AGAIN}"
# SFTP has no word for a full disk. One that has less than this left is full.
_FULL_BYTES = 1 << 20


def here(error: OSError, path: str) -> SmSshError:
    """Say what the system of this machine means.

    Args:
        error: what it raised.
        path: the file that it was about.
    """
    path = shown(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"the disk of this machine is full: {path}", hint=_FULL_HINT)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessDenied(f"{path}: {error.strerror} on this machine", hint="check its owner and mode")
    if error.errno == errno.ENOENT:
        return NotFound(f"{path}: no such file or folder on this machine")
    return SmSshError(f"{path}: {error.strerror or type(error).__name__} on this machine")


def there(error: Refused, host: str) -> SmSshError:
    """Say what a node's server means.

    Args:
        error: its refusal.
        host: the node's name.
    """
    path = shown(error.path)
    if error.code == packets.NO_SUCH_FILE:
        return NotFound(f"{path}: no such file or folder on {host}")
    if error.code == packets.PERMISSION_DENIED:
        return AccessDenied(
            f"{path}: permission denied on {host}", hint="user@ before the name logs in as another user"
        )
    if error.code == packets.END_OF_FILE:
        return changed(error.path)
    return SmSshError(f"{path}: {host} says: {error.message}")


async def of_write(error: Refused, remote: Remote, folder: str, host: str) -> SmSshError:
    """Say why a node did not take what was written: it tells a full disk from nothing else, so its disk is looked at.

    Args:
        error: its refusal.
        remote: a session.
        folder: where the file lies.
        host: the node's name.
    """
    if error.code == packets.FAILURE:
        free = await remote.free_bytes(folder)
        if free is not None and free < _FULL_BYTES:
            return full(host, folder)
    return there(error, host)


def full(host: str, folder: str) -> NoSpace:
    """Return the error of a full disk on a node."""
    return NoSpace(f"the disk of {host} is full: {shown(folder)}", hint=_FULL_HINT)


def changed(path: str) -> SmSshError:
    """Return the error of a source that did not hold still."""
    return SmSshError(
        f"{shown(path)} changes while it is copied", hint="try again when nobody writes to it; --no-verify takes a copy"
    )


def differs(path: str) -> SmSshError:
    """Return the error of a copy that is not what it was copied from."""
    return SmSshError(
        f"{shown(path)}: the copy differs from its source (SHA-256), and was removed",
        hint="the same command starts anew",
    )
