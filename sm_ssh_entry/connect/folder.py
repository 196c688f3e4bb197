"""Our private folder below ``~/.ssh``: made 0700, written to atomically, its files 0600. No lock of the system's own,
so that Windows, macOS and network homes behave alike."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sm_ssh_entry.errors import SmSshError

_LOCK_PATIENCE = 5.0
_LOCK_STALE = 10.0


def ssh_folder() -> Path:
    """Where OpenSSH keeps its files.

    Raises:
        SmSshError: there is no home folder.
    """
    try:
        home = Path.home()
    except RuntimeError:  # Python's word for it
        home = Path()
    if not home.is_absolute() or (
        os.name == "posix" and os.environ.get("HOME") == ""
    ):  # Python takes an empty HOME for /
        raise SmSshError("there is no home folder", hint="set HOME")
    return home / ".ssh"


def private_folder() -> Path:
    """Return ``~/.ssh/sm-ssh``, made if missing.

    Raises:
        SmSshError: it cannot be made.
    """
    folder = ssh_folder() / "sm-ssh"
    try:
        for part in (folder.parent, folder):
            if not part.is_dir():
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SmSshError(
            f"cannot make {folder}: {error.strerror}", hint="sm-ssh keeps keys and host keys there"
        ) from error
    return folder


def write(path: Path, text: str) -> None:
    """Replace a file at once and whole, 0600.

    Raises:
        SmSshError: the folder does not take it.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes, *, like: os.stat_result | None = None) -> None:
    """Replace a file at once and whole.

    Args:
        path: the file itself, no link to it.
        data: all of its contents.
        like: mode and owner it is to have; None: 0600, ours.

    Raises:
        SmSshError: the folder does not take it.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(fresh, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if like is not None and os.name == "posix":
            made = fresh.stat()
            if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
                os.chown(fresh, like.st_uid, like.st_gid)
            fresh.chmod(stat.S_IMODE(like.st_mode))
        _replace(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SmSshError(f"cannot write {path}: {error.strerror}", hint="check its folder's owner and mode") from error


def read(path: Path) -> str:
    """Return a file's text, ``""`` where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock while it is read and written back.

    The lock is a file that only one process can create. One that is older than ten seconds was left by a process that
    died, and is taken over. Without the lock after five seconds we go on: a lost line is written again at the next
    login, and until then ``ssh`` refuses rather than trusts.
    """
    lock = path.with_name(path.name + ".lock")
    deadline = time.monotonic() + _LOCK_PATIENCE
    pause = threading.Event()
    held = False
    while not held and time.monotonic() < deadline:
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            held = True
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - lock.stat().st_mtime > _LOCK_STALE:
                    lock.unlink()
            pause.wait(0.01)
        except OSError:  # Windows: the file is being deleted by its owner, or the folder is read-only
            pause.wait(0.01)
    try:
        yield
    finally:
        if held:
            lock.unlink(missing_ok=True)


def _replace(fresh: Path, path: Path) -> None:
    pause = threading.Event()
    for _ in range(20):
        try:
            fresh.replace(path)
        except PermissionError:  # Windows: somebody, an ssh for one, has it open for a moment
            pause.wait(0.02)
        else:
            return
    fresh.replace(path)
