"""``sm-ssh config``: what plain ``ssh`` is to know, kept as data, and the file that is written from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from sm_ssh_entry.connect import folder, names, ssh_config, ssh_include
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import BadInput

_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_HEAD = "# Written by sm-ssh config, and written anew by it: change nothing here. sm-ssh config --remove removes it.\n"


@dataclass(frozen=True)
class Alias:
    """A name of the user's own, and what it means.

    Attributes:
        host: name of ours, perhaps with ``user@``.
        reach: how it is reached.
    """

    host: str
    reach: Reach


@dataclass(frozen=True)
class Settings:
    """All that ``sm-ssh config`` was told.

    Attributes:
        reach: for every name.
        share: whether plain ``ssh`` shares connections.
        aliases: by name.
        made: whether ``~/.ssh/config`` was not there before us.
    """

    reach: Reach = Reach()  # noqa: RUF009 - frozen
    share: bool = True
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    made: bool = False

    def with_alias(self, name: str, host: str, reach: Reach) -> Settings:
        """Add an alias, or say anew what it means.

        Args:
            name: what the user wants to type.
            host: name of ours; ``user@`` and ``@region`` may stand with it.
            reach: how it is reached; its region counts before that of the name.

        Raises:
            BadInput: the alias or the name cannot be right.
        """
        target = names.parse(host)
        other = names.parse_host(name)
        if not _ALIAS.fullmatch(name) or (other and other.host != target.host):
            raise BadInput(
                f"{name!r} cannot be an alias", hint="letters, digits, dot, dash and underscore, like my-gpu"
            )
        plain = f"{target.user}@{target.host}" if target.user else target.host
        reach = replace(reach, region=reach.region or target.region or None)
        return replace(self, aliases={**self.aliases, name: Alias(plain, reach)})

    def without_alias(self, name: str) -> Settings:
        """Take an alias away.

        Raises:
            BadInput: there is none of that name.
        """
        if name not in self.aliases:
            raise BadInput(f"there is no alias {name!r}", hint="sm-ssh config --list shows them")
        return replace(self, aliases={one: alias for one, alias in self.aliases.items() if one != name})

    def text(self) -> str:
        """Return the file."""
        blocks = [
            ssh_config.alias(name, names.parse(alias.host), alias.reach, share=self.share)
            for name, alias in sorted(self.aliases.items())
        ]
        return "\n".join([_HEAD, *blocks, ssh_config.every_host(self.reach, share=self.share)])


def load() -> Settings:
    """Return what was told before; the defaults where nothing was."""
    try:
        said = json.loads(_note().read_text(encoding="utf-8"))
        aliases = {str(name): Alias(str(one["host"]), _reach(one["reach"])) for name, one in said["aliases"].items()}
        return Settings(_reach(said["reach"]), bool(said["share"]), aliases, bool(said["made"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Settings()


def called(name: str, reach: Reach) -> tuple[str, Reach]:
    """Return what an alias stands for and how it is reached; a name that is no alias comes back as it is.

    Args:
        name: what the user typed; ``user@`` may stand before it.
        reach: what the user gave, which counts before what the alias holds.
    """
    user, at, plain = name.rpartition("@")
    if names.parse_host(name) is not None:
        return name, reach
    alias = load().aliases.get(plain)
    if alias is None:
        return name, reach
    kept = alias.reach
    both = Reach(
        reach.region or kept.region,
        reach.profile or kept.profile,
        reach.via or kept.via,
        reach.index or kept.index,
        reach.identity or kept.identity,
    )
    return (f"{user}@{names.parse(alias.host).host}" if at else alias.host), both


def is_set_up() -> bool:
    """Whether ``ssh`` reads a file of ours."""
    return _file().is_file() and ssh_include.is_there()


def save(settings: Settings) -> list[str]:
    """Write the file, and the line that makes ``ssh`` read it; return what was changed, a line for each.

    Raises:
        SmSshError: a file cannot be written.
    """
    done = []
    text = settings.text()
    if folder.read(_file()) != text:
        folder.write(_file(), text)
        done.append(f"{_file()} is written")
    if not ssh_include.is_there():
        settings = replace(settings, made=ssh_include.add() or settings.made)
        done.append(f"{ssh_include.user_config()} has a new first line: {ssh_include.line().decode(errors='replace')}")
    folder.write(_note(), json.dumps(_as_json(settings), indent=2) + "\n")
    return done


def remove() -> list[str]:
    """Take everything away again; return what was changed, a line for each.

    Raises:
        SmSshError: a file cannot be written.
    """
    done = []
    if ssh_include.remove(made=load().made):
        done.append(f"{ssh_include.user_config()} is as it was")
    for path in (_file(), _note()):
        if path.exists():
            path.unlink()
            done.append(f"{path} is removed")
    return done


def of_now(reach: Reach, target: Target) -> Reach:
    """Fill in region and profile of now: an IDE that is started from a desktop has no AWS environment.

    Args:
        reach: what was given.
        target: whose region suffix counts where no region was given.
    """
    profile = reach.profile or os.environ.get("AWS_PROFILE") or None
    reach = replace(reach, profile=profile)
    return replace(reach, region=reach.towards(target).effective_region or None)


def _file() -> Path:
    return folder.private_folder() / "config"


def _note() -> Path:
    return folder.private_folder() / "config.json"


def _as_json(settings: Settings) -> dict[str, Any]:
    return {
        "reach": asdict(settings.reach),
        "share": settings.share,
        "aliases": {name: asdict(alias) for name, alias in settings.aliases.items()},
        "made": settings.made,
    }


def _reach(said: Mapping[str, Any]) -> Reach:
    known = {one.name for one in fields(Reach)}
    return Reach(**{name: value for name, value in said.items() if name in known})
