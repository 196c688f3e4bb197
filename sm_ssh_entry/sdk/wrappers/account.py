"""Whose account and which region a wrapper talks to: those of the user's own session where one is given."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from sm_ssh_entry import aws

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_ENVIRONMENT = "env"
# botocore's names of the ways by which a child of ours finds the same credentials again. What came by another is handed
# to it in its environment: keys given to the session, or an assumed role, for which it might ask for a code each time.
_FOUND_AGAIN = frozenset(
    {
        _ENVIRONMENT,
        "shared-credentials-file",
        "config-file",
        "boto-config",
        "custom-process",
        "assume-role-with-web-identity",
        "sso",
        "login",
        "iam-role",
        "container-role",
    }
)


@dataclass(frozen=True)
class Account:
    """Account and region.

    Attributes:
        session: boto3's session; None: what the environment says counts.
        region: region; ``""``: the environment's or the profile's.
    """

    session: Any = field(default=None, repr=False)
    region: str = ""

    @classmethod
    def of(cls, given: object) -> Account:
        """Return the account of a session of either SDK or of boto3; of None, that of the environment."""
        session = getattr(given, "boto_session", None) or (given if hasattr(given, "get_credentials") else None)
        region = getattr(given, "boto_region_name", None) or getattr(session, "region_name", None)
        return cls(session, str(region or ""))

    @property
    def effective_region(self) -> str:
        """The region that calls go to, ``""`` where none is set."""
        return self.region or aws.region_of() or ""

    def client(self, service: str) -> Any:
        """Make a client for one AWS service.

        Args:
            service: botocore's name of it.

        Raises:
            CredentialsMissing: the profile does not exist.
            WrongRegion: no region is set, or it is not one.
        """
        if self.session is None:
            return aws.client(service, region=self.region or None)
        with aws.errors_of(region=self.region or None):
            return self.session.client(service, region_name=self.region or None)

    def environment(self) -> dict[str, str]:
        """Return the environment of a child that is to talk to the same account and region."""
        environment = dict(os.environ)
        if self.region:
            environment |= {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        credentials = None
        if self.session is not None:
            with aws.errors_of():
                credentials = self.session.get_credentials()
        if credentials is None or credentials.method == _ENVIRONMENT:
            return environment
        for name in _KEYS:
            environment.pop(name, None)
        if credentials.method in _FOUND_AGAIN:
            profile = self.session.profile_name
            return environment | ({"AWS_PROFILE": profile} if profile and profile != "default" else {})
        with aws.errors_of():
            frozen = credentials.get_frozen_credentials()
        values = dict(zip(_KEYS, (frozen.access_key, frozen.secret_key, frozen.token), strict=True))
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            environment.pop(name, None)
        return environment | {name: value for name, value in values.items() if value}
