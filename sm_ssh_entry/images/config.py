"""An image's configuration as the engine tells it, and the command that runs the same program behind our stub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sm_ssh_entry.contract import ENTRY

STUB = ENTRY
LINK = "/usr/local/bin/sm-ssh-entry"
# What the stub takes for itself where it stands right after its own name; entrypoint/sm-ssh-entry has the same words.
OWN_WORDS = ("start", "status", "health", "authorize", "deregister", "dump", "rerun")


@dataclass(frozen=True)
class Config:
    """What an image says of the containers made of it.

    Shell forms stand here as the engine keeps them, as ``/bin/sh -c`` or whatever SHELL was.

    Args:
        entrypoint: ENTRYPOINT; empty: none.
        cmd: CMD; empty: none.
        user: USER, as a name or number, with or without a group; empty: root.
        env: ENV.
        labels: LABEL.
        health: HEALTHCHECK; empty: none was ever given, ``("NONE",)``: switched off.
        onbuild: ONBUILD.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    health: tuple[str, ...] = ()
    onbuild: tuple[str, ...] = ()

    @property
    def has_stub(self) -> bool:
        """Whether the image's entrypoint leads to our stub, first or behind a word of its own (tini, a shell line)."""
        return any(name in word for word in self.entrypoint for name in (STUB, LINK))

    @property
    def owner(self) -> str:
        """The user alone, without a group; ``0`` for root."""
        return self.user.partition(":")[0] or "0"


@dataclass(frozen=True)
class Command:
    """ENTRYPOINT and CMD of the image to be made."""

    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]


def parse(found: Mapping[str, Any]) -> Config:
    """Read the ``Config`` of ``docker image inspect``; absent and null mean the same there.

    Args:
        found: that object.
    """
    entrypoint = tuple(found.get("Entrypoint") or ())
    return Config(
        # The engine takes one empty word for none at all.
        entrypoint=() if entrypoint == ("",) else entrypoint,
        cmd=tuple(found.get("Cmd") or ()),
        user=found.get("User") or "",
        env=dict(pair.partition("=")[::2] for pair in found.get("Env") or ()),
        labels=dict(found.get("Labels") or {}),
        health=tuple((found.get("Healthcheck") or {}).get("Test") or ()),
        onbuild=tuple(found.get("OnBuild") or ()),
    )


def compose(config: Config) -> Command:
    """Return the command of the wrapped image: the stub, then what ran before, word for word.

    The ``--`` says that all that follows is the user's, also where the words come only at run time: without it
    ``docker run IMAGE start`` would be taken for the stub's own ``start``. A shell form stays the shell that it was.
    CMD is restated because a new ENTRYPOINT takes an inherited one away.

    Args:
        config: of the image to be wrapped; one that has the stub already stays as it is.
    """
    if config.has_stub:
        return Command(config.entrypoint, config.cmd)
    # A stub that stands in CMD, where SageMaker's own words replace it, moves to the front.
    cmd = config.cmd[1:] if config.cmd[:1] in ((STUB,), (LINK,)) and not config.entrypoint else config.cmd
    return Command((STUB, "--", *config.entrypoint), cmd)
