"""The one line in ``~/.ssh/config`` that makes ``ssh`` read ours: put in and taken out, every other byte as it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sm_ssh_entry.connect import folder
from sm_ssh_entry.errors import SmSshError

OURS = "sm-ssh/config"
_BOM = b"\xef\xbb\xbf"
_SECTIONS = (b"host", b"match")


def user_config() -> Path:
    """Return the user's own configuration of ``ssh``; it need not exist."""
    return folder.ssh_folder() / "config"


def home_of_ssh() -> Path:
    """Return the home folder in which ``ssh`` looks: the account's, whatever HOME says."""
    if sys.platform == "win32":
        return Path.home()
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def line() -> bytes:
    """Return the line. ``ssh`` looks for a relative name below the account's home; elsewhere it must be absolute."""
    if home_of_ssh().resolve() == Path.home().resolve():
        return b"Include " + OURS.encode("ascii")
    return b'Include "' + os.fsencode(folder.private_folder() / "config") + b'"'


def is_there() -> bool:
    """Whether the line is there and counts for every host."""
    return _found(_read(user_config())) >= 0


def add() -> bool:
    """Put the line at the top, where it counts for every host; return whether the file was made.

    Raises:
        SmSshError: the file cannot be read or written.
    """
    path = user_config()
    folder.private_folder()
    with folder.locked(path):
        before = _read(path)
        if _found(before) >= 0:
            return False
        fresh = not path.exists() and not path.is_symlink()
        start = _BOM if before.startswith(_BOM) else b""
        end = b"\r\n" if before.partition(b"\n")[0].endswith(b"\r") else b"\n"
        _write(path, start + line() + end + before[len(start) :])
        return fresh


def remove(*, made: bool) -> bool:
    """Take the line out; return whether it was there.

    Args:
        made: whether ``add`` made the file: it goes too, if nothing else is in it.

    Raises:
        SmSshError: the file cannot be read or written.
    """
    path = user_config()
    with folder.locked(path):
        before = _read(path)
        number = _found(before)
        if number < 0:
            return False
        lines = before.split(b"\n")
        start = _BOM if number == 0 and before.startswith(_BOM) else b""
        after = start + b"\n".join(lines[:number] + lines[number + 1 :])
        if made and not after:
            path.unlink()
        else:
            _write(path, after)
        return True


def _found(text: bytes) -> int:
    """Return the number of the line, -1 where it is not there or stands below a host."""
    wanted = line().split(None, 1)[1].strip(b'"')
    for number, one in enumerate(text.removeprefix(_BOM).split(b"\n")):
        words = one.replace(b"=", b" ", 1).split(None, 1)
        if not words:
            continue
        if words[0].lower() in _SECTIONS:
            break
        if words[0].lower() == b"include" and len(words) == 2 and words[1].strip().strip(b'"') == wanted:
            return number
    return -1


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SmSshError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error


def _write(path: Path, data: bytes) -> None:
    """Replace the file that a link points to, with its mode and owner."""
    target = path.resolve()
    folder.write_bytes(target, data, like=target.stat() if target.exists() else None)
