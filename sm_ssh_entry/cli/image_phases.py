"""How work on an image shows, on standard error: one moving line on a terminal, a line for each phase in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def phases() -> Iterator[Callable[[str], None]]:
    """Give what is told of each phase; an indented line is part of a log, and stays to be read."""
    if not sys.stderr.isatty():
        yield lambda line: print(line, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    with console.status("") as status:

        def tell(line: str) -> None:
            if line.startswith(" "):
                console.print(line, style="dim", markup=False)
            else:
                status.update(escape(line))

        yield tell
