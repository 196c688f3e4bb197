"""Which account and region a command talks to, and the clients for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.connect.names import Target


@dataclass(frozen=True)
class Access:
    """Region and profile as the user gave them; None: what the environment or the profile says."""

    region: str | None = None
    profile: str | None = None

    def towards(self, target: Target) -> Access:
        """Return the access for a name: its ``@region`` counts where no ``--region`` was given."""
        return Access(self.region or target.region or None, self.profile)

    def client(self, service: str, *, timeout: float = 20.0, attempts: int = 3) -> Any:
        """Make a client; arguments as in ``aws.client``."""
        return aws.client(service, region=self.region, profile=self.profile, timeout=timeout, attempts=attempts)

    @property
    def effective_region(self) -> str:
        """The region that calls go to, ``""`` where none is set."""
        return self.region or aws.region_of(self.profile) or ""
