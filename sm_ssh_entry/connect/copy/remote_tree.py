"""Walking a folder of a node, and its patterns: by reading folders, so no shell of the node reads a name."""

from __future__ import annotations

import asyncio
import fnmatch
import posixpath

from sm_ssh_entry.connect.copy import failures, packets
from sm_ssh_entry.connect.copy.attributes import Attributes
from sm_ssh_entry.connect.copy.found import BROKEN, LOOP, OUTSIDE, SPECIAL, Found, Tree
from sm_ssh_entry.connect.copy.remote import Refused, Remote, join
from sm_ssh_entry.connect.copy.shown import shown
from sm_ssh_entry.errors import NotFound

_AT_ONCE = 32
_MAGIC = frozenset("*?[")


async def expand(remote: Remote, source: str, host: str) -> list[str]:
    """Return the paths that a pattern means: ``*``, ``?``, ``[…]``, each within one name; a hidden name needs its dot.

    Args:
        remote: a session.
        source: path as it was written; one that exists as it stands is no pattern.
        host: the node's name, for messages.

    Raises:
        NotFound: nothing matches.
    """
    if not _MAGIC & set(source) or await _exists(remote, source):
        return [source]
    found = ["/"] if source.startswith("/") else [""]
    parts = [part for part in source.split("/") if part]
    for index, part in enumerate(parts):
        if _MAGIC & set(part):
            lists = [await _matching(remote, folder, part) for folder in found]
            found = [path for matched in lists for path in matched]
        else:
            found = [join(folder, part) for folder in found]
            if index == len(parts) - 1 or len(found) > 1:
                found = [path for path in found if await _exists(remote, path)]
    if not found:
        raise NotFound(f"{shown(source)}: nothing on {host} matches", hint="patterns know *, ? and […], not **")
    return found


async def walk(remote: Remote, source: str, host: str, *, follow: bool) -> Tree:
    """Find all that a path stands for; links as in ``local_tree.walk``.

    Args:
        remote: a session.
        source: file or folder.
        host: the node's name, for messages.
        follow: also copy what links outside the folder point to.

    Raises:
        SmSshError: it is not there, or may not be read.
    """
    tree = Tree()
    try:
        attributes = await remote.stat(source)
        real = await remote.realpath(source)
    except Refused as error:
        raise failures.there(error, host) from error
    if not attributes.is_folder:
        if attributes.is_file:
            tree.found.append(_found(source, "", attributes))
        else:
            tree.skipped.append(f"{shown(source)}: {SPECIAL}")
        return tree
    tree.found.append(_found(source, "", attributes))
    walker = _Walker(remote, tree, host, "" if follow else real)
    await walker.folder(source, "", (real,))
    tree.found.sort(key=lambda one: one.inside.split("/") if one.inside else [])
    return tree


class _Walker:
    """Reads many folders at once.

    Args:
        remote: a session.
        tree: takes what is found.
        host: the node's name.
        root: what links may not lead out of; ``""``: they may lead anywhere.
    """

    def __init__(self, remote: Remote, tree: Tree, host: str, root: str) -> None:
        self._remote, self._tree, self._host, self._root = remote, tree, host, root
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def folder(self, path: str, inside: str, above: tuple[str, ...]) -> None:
        """Walk one folder; arguments as in ``local_tree``."""
        try:
            async with self._room:
                entries = await self._remote.entries(path)
        except Refused as error:
            self._tree.failures.append(failures.there(error, self._host))
            return
        await asyncio.gather(*(self._entry(path, inside, above, name, about) for name, about in entries))

    async def _entry(self, folder: str, inside: str, above: tuple[str, ...], name: str, about: Attributes) -> None:
        path, below = join(folder, name), f"{inside}/{name}" if inside else name
        real = join(above[-1], name)
        if about.is_link:
            try:
                async with self._room:
                    real = await self._remote.realpath(path)
                    about = await self._remote.stat(path)
            except Refused:
                self._tree.skipped.append(f"{shown(path)}: {BROKEN}")
                return
            if self._root and not f"{real}/".startswith(f"{self._root.rstrip('/')}/"):
                self._tree.skipped.append(f"{shown(path)}: {OUTSIDE}")
                return
        if about.is_folder:
            if real in above:
                self._tree.skipped.append(f"{shown(path)}: {LOOP}")
                return
            self._tree.found.append(_found(path, below, about))
            await self.folder(path, below, (*above, real))
        elif about.is_file:
            self._tree.found.append(_found(path, below, about))
        else:
            self._tree.skipped.append(f"{shown(path)}: {SPECIAL}")


async def _matching(remote: Remote, folder: str, pattern: str) -> list[str]:
    try:
        entries = await remote.entries(folder or ".")
    except Refused:
        return []
    return [
        join(folder, name)
        for name, _ in entries
        if fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))
    ]


async def _exists(remote: Remote, path: str) -> bool:
    try:
        await remote.lstat(path)
    except Refused as error:
        return error.code not in (packets.NO_SUCH_FILE, packets.FAILURE)
    return True


def _found(path: str, inside: str, about: Attributes) -> Found:
    size = 0 if about.is_folder else about.size or 0
    return Found(posixpath.normpath(path), inside, about.is_folder, size, about.changed, about.changed, about.mode)
