"""Which modules of ours some modules need: read from their source, imports inside functions included."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
_NAME = PACKAGE.name
_PARSING = threading.Lock()


def room(name: str) -> list[Path]:
    """Return every module of a room.

    Args:
        name: ``boot``, ``plane/agent``.
    """
    return sorted((PACKAGE / name).rglob("*.py"))


def closure(modules: Iterable[Path]) -> list[Path]:
    """Return these modules and all of ours that they import, and the packages they lie in; sorted.

    Args:
        modules: files of our package.
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += [folder / "__init__.py" for folder in path.parents if folder == PACKAGE or PACKAGE in folder.parents]
        waiting += [ours for name in imported(path) if (ours := _file(name)) is not None]
    return sorted(found)


def imported(path: Path) -> set[str]:
    """Return the dotted names that a module imports; for ``from a import b`` that is ``a.b``.

    Args:
        path: its source.
    """
    names: set[str] = set()
    # Python 3.11 counts the depth of trees for all threads together, and fails where two of them parse.
    with _PARSING:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _file(name: str) -> Path | None:
    """Return the file of a dotted name, or of the module that it is a word of; None: it is not ours."""
    first, *parts = name.split(".")
    if first != _NAME:
        return None
    for length in range(len(parts), -1, -1):
        stem = PACKAGE.joinpath(*parts[:length])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file() and path != PACKAGE.with_suffix(".py"):
                return path
    return None
