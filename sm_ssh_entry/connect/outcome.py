"""Why a login failed: from the proxy, who knows, to whoever can show it.

``ssh`` says 255 for everything. And where a connection is to be shared it gives its ProxyCommand no standard error, so
the proxy's one line would be lost: ``sm-ssh`` gets it by a file; a user of plain ``ssh`` sees it on ``ssh``'s own
standard error (Linux) or on the terminal; and the last one is kept in our folder, where ``sm-ssh doctor`` reads it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

from sm_ssh_entry import errors
from sm_ssh_entry.connect import folder
from sm_ssh_entry.errors import SmSshError

_STDERR = 2


def leave(error: SmSshError, *, host: str, path: str, ssh: int) -> int:
    """Proxy's side: hand an error over, print it where somebody sees it, and return its exit code.

    Args:
        error: what is in the way.
        host: name as it was typed.
        path: file for the ``sm-ssh`` that started ``ssh``; ``""``: nobody did.
        ssh: process id of the ``ssh`` that runs us.
    """
    shown = not _is_null(_STDERR)
    text = json.dumps(
        {
            "error": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "code": error.exit_code,
            "shown": shown,
            "host": host,
            "time": int(time.time()),
        }
    )
    with contextlib.suppress(SmSshError):
        folder.write(last_file(), text + "\n")
    handed = bool(path) and _hand_over(Path(path), text)
    if shown or not handed:
        tell(error.message, ssh)
        if error.hint:
            tell(f"  hint: {error.hint}", ssh, prefix="")
    return error.exit_code


def taken(path: Path) -> tuple[SmSshError, bool] | None:
    """Return what the proxy left in a file and whether the user has seen it; None where it left nothing.

    Args:
        path: what ``leave`` was given.
    """
    said = _read(path)
    kind = getattr(errors, str(said.get("error", "")), None)
    if not (isinstance(kind, type) and issubclass(kind, SmSshError)):
        return None
    return kind(str(said.get("message", "")), hint=str(said.get("hint", ""))), said.get("shown") is True


def last_file() -> Path:
    """Return the file that holds the last failure of a login; it need not exist."""
    return folder.private_folder() / "last-error.json"


def last() -> dict[str, Any]:
    """Return the last failure: error, message, hint, code, host, time (epoch seconds); empty where there was none."""
    return _read(last_file())


def tell(line: str, ssh: int, *, prefix: str = "sm-ssh: ") -> None:
    """Print one line for the user of ``ssh``.

    Args:
        line: without a line end.
        ssh: process id of the ``ssh`` that runs us.
        prefix: who speaks.
    """
    text = f"{prefix}{line}\n"
    if not _is_null(_STDERR):
        with contextlib.suppress(OSError):
            print(text, end="", file=sys.stderr, flush=True)
        return
    for way in _voices_of(ssh):
        try:
            # Appending, because standard error may be a file; no controlling terminal, because we want none.
            descriptor = os.open(way, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOCTTY", 0))
        except OSError:  # a socket cannot be opened by its name
            continue
        with contextlib.suppress(OSError), os.fdopen(descriptor, "wb", buffering=0) as stream:
            stream.write(text.encode("utf-8", errors="replace"))
        return


def _hand_over(path: Path, text: str) -> bool:
    """Write a new file into a folder that is still its maker's, us; return whether that could be done.

    A connection that is shared outlives whoever asked for the file. By then the folder, which lies where everybody may
    make one, can be somebody else's.
    """
    try:
        if os.name == "posix" and path.parent.lstat().st_uid != os.getuid():
            return False
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return False
    return True


def _voices_of(ssh: int) -> list[str]:
    """Return where a line for the user of an ``ssh`` may be written, best first."""
    if os.name == "nt":
        return []
    if sys.platform != "linux":
        return ["/dev/tty"]
    # Our standard error is empty by the user's own wish where it was not ssh that started us.
    by_ssh = folder.read(Path(f"/proc/{ssh}/comm")).strip() == "ssh"
    return [f"/proc/{ssh}/fd/2", "/dev/tty"] if by_ssh else []


def _is_null(descriptor: int) -> bool:
    try:
        found, null = os.fstat(descriptor), Path(os.devnull).stat()
    except OSError:
        return True
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == null.st_rdev


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
