"""What the user wrote: ``NAME:path`` is on a node, everything else is here."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import BadInput

STREAM = "-"
_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")
_FORMS = "one side is NAME:path: sm-ssh cp my-job.training.sagemaker:/opt/ml/model ."


@dataclass(frozen=True)
class Order:
    """What is to be copied.

    Attributes:
        target: the node.
        up: whether the copy goes to the node.
        sources: paths there or here, as they were written; one starting with ``~/`` on the node is below its home.
        to: path on the other side.
    """

    target: Target
    up: bool
    sources: tuple[str, ...]
    to: str

    @property
    def streams(self) -> bool:
        """Whether one side is standard input or output."""
        return self.to == STREAM if not self.up else self.sources == (STREAM,)


def parse(words: Sequence[str]) -> Order:
    """Understand sources and destination.

    Args:
        words: all of them, the destination last.

    Raises:
        BadInput: not exactly one side is a node, or it is not one and the same.
    """
    if len(words) < 2:
        raise BadInput("a source and a destination are expected", hint=_FORMS)
    sides = [_side(word) for word in words]
    *sources, to = sides
    nodes = {side[0] for side in sources if side[0] is not None}
    if to[0] is not None:
        if nodes:
            raise BadInput(
                "both sides are nodes",
                hint="copy to this machine first, then from here; or --via s3, one way at a time",
            )
        order = Order(to[0], True, tuple(path for _, path in sources), to[1])
    elif len(nodes) == 1 and all(side[0] is not None for side in sources):
        order = Order(nodes.pop(), False, tuple(path for _, path in sources), to[1])
    elif nodes:
        raise BadInput("the sources are in more than one place", hint="copy from one node at a time")
    else:
        raise BadInput("both sides are on this machine", hint=_FORMS)
    if STREAM in order.sources and order.up and len(order.sources) > 1:
        raise BadInput("standard input cannot be one of several sources")
    if order.streams and not order.up and len(order.sources) > 1:
        raise BadInput("only one file can go to standard output")
    return order


def _side(word: str) -> tuple[Target | None, str]:
    """Return node and path; a colon behind a slash belongs to a path, and ``C:`` is a drive on every system."""
    host, colon, path = word.partition(":")
    if not colon or _DRIVE.match(word) or "/" in host or "\\" in host or not host:
        if not word:
            raise BadInput("an empty path", hint=". is this folder")
        return None, word
    return names.parse(host), _from_home(path)


def _from_home(path: str) -> str:
    """Return a node's path: what does not start with a slash is below the home folder, where SFTP begins."""
    if path == "~" or path.startswith("~/"):
        path = path[2:]
    return path or "."


def last_name(path: str) -> str:
    """Return the name that a copy of a node's path gets; ``""`` where only its contents are meant (``folder/.``)."""
    name = posixpath.basename(path.rstrip("/"))
    return "" if name in (".", "..") else name
