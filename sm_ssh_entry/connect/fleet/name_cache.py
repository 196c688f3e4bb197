"""The names that the last list showed, for the shell's completion: a file, because pressing Tab must not ask AWS."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable

from sm_ssh_entry.connect import folder
from sm_ssh_entry.errors import SmSshError

# Jobs come and go within hours; a name of yesterday misleads more than it helps.
LIFETIME = 12 * 3600.0
_FILE = "names.json"
_AT_MOST = 500


def remember(names: Iterable[str], *, now: float | None = None) -> None:
    """Add names to those that are known. That it cannot be written is nobody's concern.

    Args:
        names: host names.
        now: epoch seconds; None: the clock's.
    """
    when = time.time() if now is None else now
    with contextlib.suppress(SmSshError):
        path = folder.private_folder() / _FILE
        with folder.locked(path):
            fresh = _read(when) | dict.fromkeys(names, when)
            newest = sorted(fresh, key=lambda name: -fresh[name])[:_AT_MOST]
            folder.write(path, json.dumps({name: fresh[name] for name in newest}))


def known(*, now: float | None = None) -> list[str]:
    """Return the names of the last hours in alphabetical order.

    Args:
        now: epoch seconds; None: the clock's.
    """
    try:
        return sorted(_read(time.time() if now is None else now))
    except SmSshError:
        return []


def _read(now: float) -> dict[str, float]:
    try:
        found = json.loads(folder.read(folder.ssh_folder() / "sm-ssh" / _FILE))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: float(when)
        for name, when in found.items()
        if isinstance(when, (int, float)) and 0 <= now - when < LIFETIME
    }
