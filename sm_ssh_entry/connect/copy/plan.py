"""What becomes what: sources, walked through, and the places that their copies get; as ``cp`` does it."""
# Paths stay texts as they were written: Path takes dots and last slashes away.
# ruff: noqa: PTH100, PTH110, PTH111, PTH112, PTH118, PTH119, PTH120

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sm_ssh_entry.connect.copy import arguments, failures, local_tree, remote_tree
from sm_ssh_entry.connect.copy.arguments import Order
from sm_ssh_entry.connect.copy.found import Found, Tree
from sm_ssh_entry.connect.copy.remote import Refused, Remote, join
from sm_ssh_entry.connect.copy.shown import shown
from sm_ssh_entry.errors import BadInput, NotFound, SmSshError

_NAME_KEPT = 40
# What no name on Windows may contain. Elsewhere only the slash and NUL, which no server gets past ``Remote.entries``.
_NOT_ON_WINDOWS = re.compile(r'[\\:*?"<>|\x00-\x1f]|[ .]$')


@dataclass(frozen=True)
class Copy:
    """A file or folder and the place of its copy.

    Attributes:
        found: the source.
        to: path of the copy.
    """

    found: Found
    to: str

    @property
    def partial(self) -> str:
        """Where a copy that is not whole yet lies: beside its place, under a name that fits wherever its own does."""
        folder, slash, name = self.to.rpartition("/" if "/" in self.to else os.sep)
        mark = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return f"{folder}{slash}.{name[:_NAME_KEPT]}.{mark}.sm-ssh-part"


@dataclass
class Plan:
    """All that is to be done.

    Attributes:
        files: what is to be copied.
        folders: what is to be made, each before what is in it.
        keep: folders whose own mode and time are nobody's to change.
        skipped: what is not copied, in words.
        failures: what could not be read.
    """

    files: list[Copy] = field(default_factory=list)
    folders: list[Copy] = field(default_factory=list)
    keep: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    failures: list[SmSshError] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(one.found.size for one in self.files)

    def add(self, tree: Tree, to: str, *, merge: bool, place: Callable[[str, str], str]) -> None:
        """Put what a walk has found at its places.

        Args:
            tree: what it has found.
            to: place of the first.
            merge: whether the first is a folder of which only the contents are meant.
            place: puts a path together from a folder and a path inside it.
        """
        self.skipped += tree.skipped
        self.failures += tree.failures
        for one in tree.found:
            copy = Copy(one, place(to, one.inside) if one.inside else to)
            if one.is_folder and merge and not one.inside:
                self.keep.add(to)
            (self.folders if one.is_folder else self.files).append(copy)

    def check(self) -> Plan:
        """Return the plan.

        Raises:
            BadInput: two sources would become one file.
        """
        twice = [path for path, count in Counter(one.to for one in self.files).items() if count > 1]
        if twice:
            raise BadInput(f"several sources would become {shown(twice[0])}", hint="copy them one after another")
        return self


async def upload(order: Order, remote: Remote, *, follow: bool) -> Plan:
    """Plan a copy to a node.

    Args:
        order: what the user wants.
        remote: a session.
        follow: as in ``local_tree.walk``.

    Raises:
        SmSshError: a source is missing, or the destination cannot be one.
    """
    host = order.target.host
    sources = [path for source in order.sources for path in local_tree.expand(source)]
    trees = [(source, local_tree.walk(source, follow=follow)) for source in sources]
    try:
        home = await remote.realpath(".")
        to = join(home, order.to)
        existing = await remote.find(to)
        into = existing is not None and existing.is_folder
        if existing is not None and not into:
            to = await remote.realpath(to)
        _check(order, into, existing is not None, len(sources), host)
        plan = Plan()
        above = to.rstrip("/") or "/"
        if not into and not _wants_folder(order, len(sources)):
            above = posixpath.dirname(above)
            if await remote.find(above) is None:
                raise NotFound(
                    f"there is no folder {shown(above)} on {host}", hint="name the copy's folder with a slash behind it"
                )
        await _missing(remote, above, plan)
        for source, tree in trees:
            name = _local_name(source)
            as_folder = into or _wants_folder(order, len(sources))
            place = posixpath.normpath(join(to, name) if as_folder else to)
            known = await remote.find(place) if tree.found and place != to else existing
            _fits(tree, place, None if known is None else known.is_folder, host)
            plan.add(tree, place, merge=not name or (known is not None and known.is_folder), place=join)
    except Refused as error:
        raise failures.there(error, host) from error
    return plan.check()


async def download(order: Order, remote: Remote, *, follow: bool) -> Plan:
    """Plan a copy from a node; arguments and errors as in ``upload``."""
    host = order.target.host
    try:
        sources = [path for source in order.sources for path in await remote_tree.expand(remote, source, host)]
        trees = [(source, await remote_tree.walk(remote, source, host, follow=follow)) for source in sources]
        home = await remote.realpath(".")
    except Refused as error:
        raise failures.there(error, host) from error
    return _downloads(order, trees, home)


def _downloads(order: Order, trees: list[tuple[str, Tree]], home: str) -> Plan:
    """Find the places of what was found on a node; ``home``: where its relative paths begin."""
    to = os.path.expanduser(order.to)
    into, exists = os.path.isdir(to), os.path.exists(to)
    if exists and not into:
        to = os.path.realpath(to)
    _check(order, into, exists, len(trees), "this machine")
    plan = Plan()
    as_folder = into or _wants_folder(order, len(trees))
    above = to if as_folder else os.path.dirname(os.path.abspath(to))
    if not as_folder and not os.path.isdir(above):
        raise NotFound(
            f"there is no folder {shown(above)} on this machine", hint="name the copy's folder with a slash behind it"
        )
    if not into and as_folder:
        plan.folders.append(Copy(Found("", "", True, 0, 0, 0, None), to))
        plan.keep.add(to)
    for source, tree in trees:
        name = posixpath.basename(home) if source == "." else arguments.last_name(source)
        place = os.path.abspath(os.path.join(to, name) if as_folder else to)
        known = os.path.isdir(place) if os.path.exists(place) else None
        _fits(tree, place, known, "this machine")
        _keep_to_windows(tree)
        plan.add(tree, place, merge=not name or known is True, place=_local_place)
    return plan.check()


def _local_place(folder: str, inside: str) -> str:
    return os.path.join(folder, *inside.split("/"))


def _local_name(source: str) -> str:
    """Return the name that a copy of a path of this machine gets; ``""``: its contents are meant (``folder/.``)."""
    trimmed = source.rstrip("/" if os.name != "nt" else "/\\")
    name = os.path.basename(trimmed)
    if name in (".", ".."):
        return "" if os.path.dirname(trimmed) and name == "." else os.path.basename(os.path.realpath(source))
    return name


def _wants_folder(order: Order, sources: int) -> bool:
    return order.to.endswith(("/", os.sep)) or sources > 1


def _check(order: Order, is_folder: bool, exists: bool, sources: int, side: str) -> None:
    if exists and not is_folder and _wants_folder(order, sources):
        raise BadInput(f"{shown(order.to)} on {side} is a file", hint="several sources need a folder")


def _fits(tree: Tree, place: str, known_folder: bool | None, side: str) -> None:
    """Refuse to put a folder where a file is, and a file where a folder is.

    Args:
        tree: the source.
        place: of its copy.
        known_folder: whether there is a folder; None: there is nothing.
        side: for the message.
    """
    if tree.found and known_folder is not None and tree.found[0].is_folder != known_folder:
        kinds = ("folder", "file") if known_folder else ("file", "folder")
        raise BadInput(f"{shown(place)} on {side} is a {kinds[0]}, and would become a {kinds[1]}")


async def _missing(remote: Remote, folder: str, plan: Plan) -> None:
    """Plan the folders that lead to one, where they are missing."""
    wanted: list[str] = []
    while folder not in ("/", "") and await remote.find(folder) is None:
        wanted.append(folder)
        folder = posixpath.dirname(folder)
    for path in reversed(wanted):
        plan.folders.append(Copy(Found("", "", True, 0, 0, 0, None), path))
        plan.keep.add(path)


def _keep_to_windows(tree: Tree) -> None:
    """On Windows, leave out what no file there can be called."""
    if os.name != "nt":
        return
    bad = {one.inside for one in tree.found if any(_NOT_ON_WINDOWS.search(part) for part in one.inside.split("/"))}
    tree.found = [one for one in tree.found if one.inside not in bad]
    tree.failures += [BadInput(f"{shown(path)}: Windows has no such names") for path in sorted(bad)]
