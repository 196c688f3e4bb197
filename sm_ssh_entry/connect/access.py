"""Which account and region a command talks to, by which way and with which key; and the clients for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect.names import Target


@dataclass(frozen=True)
class Access:
    """Region and profile as the user gave them; None: what the environment or the profile says.

    It keeps the clients that it has made: one costs some 30 ms, and several modules take part in one login.
    """

    region: str | None = None
    profile: str | None = None
    _made: dict[tuple[str, float, int], Any] = field(default_factory=dict, compare=False, repr=False)

    def towards(self, target: Target) -> Access:
        """Return the access for a name: its ``@region`` counts where no ``--region`` was given."""
        return Access(self.region or target.region or None, self.profile)

    def client(self, service: str, *, timeout: float = 20.0, attempts: int = 3) -> Any:
        """Return a client, made at the first call; arguments as in ``aws.client``."""
        wanted = (service, timeout, attempts)
        if wanted not in self._made:
            made = aws.client(service, region=self.region, profile=self.profile, timeout=timeout, attempts=attempts)
            self._made[wanted] = made
        return self._made[wanted]

    @property
    def effective_region(self) -> str:
        """The region that calls go to, ``""`` where none is set."""
        return self.region or aws.region_of(self.profile) or ""


@dataclass(frozen=True)
class Reach:
    """How the user wants a name to be reached: the options that the laptop's commands share.

    Attributes:
        region: given region; None: the name's suffix, the environment's or the profile's.
        profile: given profile.
        via: ``native``, ``hybrid`` or ``""``: whichever there is, hybrid first.
        index: which of several containers behind one name, 1 is the newest; 0: not said.
        identity: path of the key to use; ``""``: the usual ones.
    """

    region: str | None = None
    profile: str | None = None
    via: str = ""
    index: int = 0
    identity: str = ""

    def towards(self, target: Target) -> Access:
        """Return account and region for a name."""
        return Access(self.region, self.profile).towards(target)

    def words(self, target: Target = Target()) -> list[str]:  # noqa: B008 - frozen
        """Return the options of ``sm-ssh`` that say the same.

        Args:
            target: a name whose region suffix counts where no region was given.
        """
        given = {
            "--region": self.region or target.region,
            "--profile": self.profile,
            "--via": self.via,
            "--index": str(self.index or ""),
            "--identity": self.identity,
        }
        return [word for option, value in given.items() if value for word in (option, value)]
