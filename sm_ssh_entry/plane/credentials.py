"""The keys that the plane accepts: one user's, made at start; those issued for tests; those of managed nodes."""

from __future__ import annotations

import fnmatch
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sm_ssh_entry.plane.api import Caller

# An expired key is remembered so long, so that its user hears "expired" rather than "unknown".
REMEMBER_EXPIRED_SECONDS = 3600.0
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class Credential:
    """An access key with its secret, and whose it is.

    Args:
        caller: the principal, access key included.
        secret: secret access key.
        token: session token; ``""``: a long-lived key without one.
        expires: epoch seconds; None: never.
        deny: actions that this identity may not call, as patterns (``ssm:StartSession``, ``ssm:*``).
    """

    caller: Caller
    secret: str
    token: str = ""
    expires: float | None = None
    deny: frozenset[str] = frozenset()

    @property
    def access_key(self) -> str:
        """Access key id."""
        return self.caller.access_key

    def denies(self, action: str) -> bool:
        """Say whether a pattern of ``deny`` matches the action; like IAM, whatever the case of the letters."""
        return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in self.deny)

    def environment(self) -> dict[str, str]:
        """Return the variables that make an AWS client use this key."""
        found = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return found | ({"AWS_SESSION_TOKEN": self.token} if self.token else {})


def random_key_id(prefix: str) -> str:
    """Make an access key id, or a unique id of an identity: a prefix and 16 letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


class Credentials:
    """Every key by its access key id.

    Args:
        account: account id of the principals.
        clock: gives epoch seconds.
    """

    def __init__(self, account: str, clock: Callable[[], float]) -> None:
        self._account = account
        self._clock = clock
        self._known: dict[str, Credential] = {}
        # The name and the user id are those that moto's STS gives a key it does not know, so GetCallerIdentity agrees.
        self.user = self.issue(
            user_arn=f"arn:aws:sts::{account}:user/moto", user_id="AKIAIOSFODNN7EXAMPLE", session=False
        )

    def issue(
        self,
        *,
        expires_in: float | None = None,
        deny: Iterable[str] = (),
        user_arn: str = "",
        user_id: str = "",
        session: bool = True,
        node_id: str = "",
    ) -> Credential:
        """Make a key that the plane accepts from now on.

        Args:
            expires_in: seconds; zero or less: expired from the start; None: never.
            deny: actions it may not call, patterns allowed; they are answered with AccessDeniedException.
            user_arn: principal; empty: a user with a random name.
            user_id: ``aws:userid`` of it; empty: random.
            session: whether a session token goes with it, as with keys that expire.
            node_id: the managed node it is for.
        """
        access_key = random_key_id("ASIA" if session else "AKIA")
        user_id = user_id or random_key_id("AIDA")
        arn = user_arn or f"arn:aws:iam::{self._account}:user/{user_id.lower()}"
        now = self._clock()
        credential = Credential(
            caller=Caller(access_key, arn, user_id, node_id, self._account),
            secret=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(96) if session else "",
            expires=None if expires_in is None else now + expires_in,
            deny=frozenset(deny),
        )
        self._forget(now)
        self._known[access_key] = credential
        return credential

    def get(self, access_key: str) -> Credential | None:
        """Return a key by its id, expired or not; None: unknown."""
        return self._known.get(access_key)

    def known(self) -> tuple[Credential, ...]:
        """Return every key, expired or not."""
        return tuple(self._known.values())

    def drop_node(self, node_id: str) -> None:
        """Forget the role credentials of a node that was deregistered."""
        self._known = {key: one for key, one in self._known.items() if one.caller.node_id != node_id}

    def reset(self) -> None:
        """Forget every key but the user's own."""
        self._known = {self.user.access_key: self.user}

    def _forget(self, now: float) -> None:
        if len(self._known) & 0xFF:
            return
        limit = now - REMEMBER_EXPIRED_SECONDS
        self._known = {key: one for key, one in self._known.items() if one.expires is None or one.expires > limit}
