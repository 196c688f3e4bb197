"""Host keys that no tag names: trusted when a container is seen for the first time, and held to it from then on.

The key is written where ``ssh`` looks it up before the packet that shows it reaches ``ssh``, whose checking stays
strict. With it we note by what the container is known: the target of its session, or the node that we jump from. A new
container behind an old name has another such way and is learned anew; another key by the same way is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sm_ssh_entry.connect import folder, hostkeys
from sm_ssh_entry.connect.first_sight import FirstSight
from sm_ssh_entry.errors import SmSshError

_KEPT_LINES = 1000


def watcher(alias: str, way: str, tell: Callable[[str], None]) -> Callable[[bytes], None]:
    """Return what has to see every piece of a server's stream before ``ssh`` does.

    Args:
        alias: what ``ssh`` looks the key up by, lower case.
        way: by what the container is known.
        tell: takes one line for the user.
    """
    if is_known(alias, way):
        return lambda _: None
    sight = FirstSight()

    def watch(data: bytes) -> None:
        if sight.is_over:
            return
        key = sight.feed(data)
        if not key:
            return
        try:
            hostkeys.pin((alias,), key)
            _note(alias, way, key)
        except SmSshError as error:  # the stream goes on, and ssh says that it does not know the host
            tell(error.message)
        else:
            tell(f"{alias} is seen for the first time, and no tag tells its host key: {hostkeys.fingerprint(key)}")

    return watch


def is_known(alias: str, way: str) -> bool:
    """Whether ``ssh`` has a key for a name, and it is the one that was learned by this way.

    Args:
        alias: what ``ssh`` looks the key up by, lower case.
        way: by what the container is known.
    """
    pinned = [line.split(" ", 1)[1] for line in folder.read(hostkeys.known_hosts()).splitlines() if _is_of(line, alias)]
    notes = set(folder.read(_file()).splitlines())
    return len(pinned) == 1 and _line(alias, way, pinned[0]) in notes


def _file() -> Path:
    return folder.private_folder() / "first_seen"


def _line(alias: str, way: str, key: str) -> str:
    return f"{alias} {way} {hostkeys.fingerprint(key)}"


def _is_of(line: str, alias: str) -> bool:
    return line.startswith(alias + " ")


def _note(alias: str, way: str, key: str) -> None:
    path = _file()
    with folder.locked(path):
        others = [line for line in folder.read(path).splitlines() if line and not _is_of(line, alias)]
        folder.write(path, "\n".join([*others[-_KEPT_LINES:], _line(alias, way, key)]) + "\n")
