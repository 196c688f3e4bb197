"""Private keys on Windows: made their owner's alone, and refused where they are not, before ``ssh`` refuses them."""

from __future__ import annotations

from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.connect import windows_files
from sm_ssh_entry.connect.windows_files import Identity
from sm_ssh_entry.errors import KeyRefused, SmSshError

_SECONDS = 10.0


def protect(path: Path) -> None:
    """Make a private key that we made its owner's alone.

    Raises:
        KeyRefused: Windows does not let us.
    """
    who = _identity()
    if who is None:
        return
    done = command.run(windows_files.protect_argv(str(path), who), timeout=_SECONDS)
    if not done.ok:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise KeyRefused(
            f"{path} cannot be made private: {said[0] if said else 'icacls failed'}",
            hint=windows_files.protect_by_hand(str(path), who),
        )


def check(path: Path) -> None:
    """Refuse a private key that others can read, as ``ssh`` will.

    Raises:
        KeyRefused: somebody else can read it.
    """
    try:
        who = _identity()
        listed = command.run(windows_files.list_argv(str(path)), timeout=_SECONDS)
    except SmSshError:  # no icacls, or it hangs: ssh decides
        return
    if who is None or not listed.ok:
        return
    others = windows_files.others(listed.stdout, str(path), who)
    if others:
        raise KeyRefused(
            f"{path} can be read by {', '.join(others)}, so ssh refuses it",
            hint=windows_files.protect_by_hand(str(path), who),
        )


def _identity() -> Identity | None:
    said = command.run(["whoami", "/user", "/fo", "csv", "/nh"], timeout=_SECONDS)
    return windows_files.identity(said.stdout) if said.ok else None
