"""An option whose value is a span of time, ``7d`` for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


class Span(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """Turns ``7d`` into a timedelta."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Convert what was typed; a default may be a timedelta already."""
        from sm_ssh_entry.connect.fleet import durations
        from sm_ssh_entry.errors import BadInput

        if isinstance(value, timedelta):
            return value
        try:
            return durations.parse(str(value))
        except BadInput as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


def span_option(name: str, *, help: str, default: str | None = None) -> Callable[[C], C]:  # noqa: A002 - click's word
    """Add an option that takes a span.

    Args:
        name: ``--since``.
        help: its line of help.
        default: as it would be typed; None: there is none.
    """
    return click.option(name, type=Span(), metavar="SPAN", default=default, help=help, show_default=default is not None)
