"""Options that the laptop's commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach

C = TypeVar("C", bound=Callable[..., Any])


def aws_options(command: C) -> C:
    """Add --region and --profile."""
    region = click.option("--region", metavar="REGION", help="AWS region; default: the environment's or the profile's.")
    profile = click.option("--profile", metavar="PROFILE", help="AWS profile; default: the environment's.")
    return region(profile(command))


def reach_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a name is to be reached; the command gets them as ``reach``, an ``access.Reach``.

    An argument called ``name`` may be an alias of ``sm-ssh config``: the command gets what it stands for.
    """

    @aws_options
    @click.option("--via", type=click.Choice(["hybrid", "native"]), help="Way in; default: hybrid where there is one.")
    @click.option("--index", type=click.IntRange(min=1), help="Which of several containers; 1 is the newest.")
    @click.option("--identity", "-i", metavar="KEY", help="Private key to use.")
    @wraps(command)
    def with_reach(
        region: str | None, profile: str | None, via: str | None, index: int | None, identity: str | None, **given: Any
    ) -> Any:
        from sm_ssh_entry.connect.access import Reach

        reach = Reach(region, profile, via or "", index or 0, identity or "")
        if given.get("name"):
            given["name"], reach = called(given["name"], reach)
        return command(reach=reach, **given)

    return with_reach


def called(name: str, reach: Reach) -> tuple[str, Reach]:
    """Let an alias of ``sm-ssh config`` stand for its name; see ``ssh_settings.called``."""
    from sm_ssh_entry.connect import names

    if names.parse_host(name) is not None:
        return name, reach
    from sm_ssh_entry.connect import ssh_settings

    return ssh_settings.called(name, reach)


def raw_words() -> dict[str, Any]:
    """Return the settings of a command whose words after its first argument belong to another program."""
    return {"allow_interspersed_args": False, "ignore_unknown_options": False}
