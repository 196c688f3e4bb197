"""Options that the laptop's commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


def aws_options(command: C) -> C:
    """Add --region and --profile."""
    region = click.option("--region", metavar="REGION", help="AWS region; default: the environment's or the profile's.")
    profile = click.option("--profile", metavar="PROFILE", help="AWS profile; default: the environment's.")
    return region(profile(command))


def raw_words() -> dict[str, Any]:
    """Return the settings of a command whose words after its first argument belong to another program."""
    return {"allow_interspersed_args": False, "ignore_unknown_options": False}
