"""``status.json``: what became of the container's services, for people, health checks and the processes of ours.

Several of our processes write it: each takes a lock, changes its own keys and replaces the file in one step, so that a
reader never sees half of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed

STARTING = "starting"
REGISTERING = "registering"
REGISTERED = "registered"
ONLINE = "online"
SSHD_ONLY = "sshd-only"
FAILED = "failed"
STOPPED = "stopped"


def prepare(paths: Paths) -> None:
    """Make the folder for state, for our user alone.

    Raises:
        SetupFailed: it cannot be made, or somebody else owns it.
    """
    hint = "make it writable for the container's user, in the image or as a tmpfs"
    try:
        paths.run.parent.mkdir(parents=True, exist_ok=True)
        paths.run.mkdir(mode=0o700, exist_ok=True)
        if paths.run.stat().st_uid != os.geteuid():
            raise SetupFailed(f"{paths.run} belongs to another user", hint=hint)
        paths.run.chmod(0o700)
        if not os.access(paths.run, os.W_OK):
            raise SetupFailed(f"cannot write {paths.run}", hint=hint)
        (paths.run / "log").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SetupFailed(f"cannot write {paths.run} ({error.strerror})", hint=hint) from error


def write_private(path: Path, data: bytes) -> None:
    """Replace a file in one step, readable for our user alone.

    Args:
        path: the file.
        data: its new content.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.replace(path)


def read(paths: Paths) -> dict[str, Any]:
    """Return the status; empty where there is none, or it cannot be read."""
    try:
        found = json.loads(paths.status.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _locked(paths: Paths) -> Iterator[None]:
    descriptor = os.open(paths.run / "status.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def update(paths: Paths, *, mark: str = "", fresh: bool = False, **changes: Any) -> None:
    """Change some keys of the status; a None removes its key. A state folder that became unwritable changes nothing.

    Args:
        paths: where the container keeps its files.
        mark: name under which the time (epoch seconds) is added to ``times``.
        fresh: forget everything of an earlier start.
        changes: keys and their new values.
    """
    with contextlib.suppress(OSError), _locked(paths):
        now = {} if fresh else read(paths)
        now.update(changes)
        if mark:
            times = now.get("times")
            now["times"] = {**(times if isinstance(times, dict) else {}), mark: round(time.time(), 3)}
        kept = {name: value for name, value in now.items() if value is not None}
        write_private(paths.status, json.dumps(kept, indent=1).encode() + b"\n")
