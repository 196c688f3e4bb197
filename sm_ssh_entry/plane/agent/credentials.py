"""The node's role credentials: fetched with its own key, renewed at half of their life; the key, rotated on demand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any

from sm_ssh_entry.plane.agent import backoff
from sm_ssh_entry.plane.agent.calls import Caller
from sm_ssh_entry.plane.agent.identity import Identity, Vault, public_text
from sm_ssh_entry.plane.agent.service import CallError, Service
from sm_ssh_entry.plane.agent.signing import RoleCredentials

log = logging.getLogger(__name__)

TOKEN = "RequestManagedInstanceRoleToken"  # noqa: S105 - the name of an operation
ROTATE = "UpdateManagedInstancePublicKey"
# The official agent sleeps up to 30 minutes after some errors. A local plane that was restarted should not have to
# wait.
MAX_DELAY = 30.0
SHORTEST, LONGEST = 0.5, 1800.0


class Keeper:
    """Keeps role credentials at hand.

    Args:
        service: the service.
        caller: runs blocking calls.
        vault: where a rotated key is kept.
        identity: the node, with the key in force as far as the disk knows.
    """

    def __init__(self, service: Service, caller: Caller, vault: Vault, identity: Identity) -> None:
        self._service = service
        self._call = caller
        self._vault = vault
        self._identity = identity
        self._current: RoleCredentials | None = None
        self._ready = asyncio.Event()
        self._renew = asyncio.Event()

    async def get(self) -> RoleCredentials:
        """Return credentials, after the first success."""
        await self._ready.wait()
        if self._current is None:
            raise AssertionError("ready without credentials")
        return self._current

    def renew(self) -> None:
        """Fetch new credentials soon: a call with the present ones was refused."""
        self._renew.set()

    async def run(self) -> None:
        """Fetch, wait, fetch again, for ever."""
        failures = backoff.delays(0.1, MAX_DELAY)
        while True:
            try:
                answer = await self._fetch()
                self._current = _credentials(answer)
            except CallError as error:
                delay = next(failures)
                log.warning("no role credentials: %s (again in %.1f s)", error, delay)
                await asyncio.sleep(delay)
                continue
            failures = backoff.delays(0.1, MAX_DELAY)
            self._ready.set()
            if answer.get("UpdateKeyPair") is True:
                await self._rotate()
            half = (self._current.expires - time.time()) / 2
            self._renew.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._renew.wait(), min(LONGEST, max(SHORTEST, half)))
                # Several calls may be refused together, and a service that refuses all of them must not be hammered.
                await asyncio.sleep(SHORTEST)

    async def _fetch(self) -> dict[str, Any]:
        body = {"Fingerprint": self._identity.fingerprint}
        try:
            return await self._call(self._service.call_as_node, self._identity, TOKEN, body)
        except CallError as error:
            proposed = None if error.passing else self._vault.proposed(self._identity)
            if proposed is None:
                raise
        # A rotation was cut off: the service has taken the new key, and we never heard so.
        answer = await self._call(self._service.call_as_node, proposed, TOKEN, body)
        self._settle(proposed)
        return answer

    async def _rotate(self) -> None:
        try:
            proposed = await self._call(self._vault.propose, self._identity)
            body = {"NewPublicKey": public_text(proposed.private_key), "NewPublicKeyType": "Rsa"}
            await self._call(self._service.call_as_node, self._identity, ROTATE, body)
        except (CallError, OSError) as error:
            # The next token request finds out which key holds.
            log.warning("the key was not rotated: %s", error)
            return
        self._settle(proposed)
        log.info("the key was rotated, as the service asked")

    def _settle(self, identity: Identity) -> None:
        self._identity = identity
        try:
            self._vault.settle(identity)
        except OSError as error:
            log.warning("the rotated key could not be stored, its copy is kept: %s", error)


def _credentials(answer: Mapping[str, Any]) -> RoleCredentials:
    try:
        return RoleCredentials(
            str(answer["AccessKeyId"]),
            str(answer["SecretAccessKey"]),
            str(answer["SessionToken"]) or None,
            float(answer["TokenExpirationDate"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CallError(TOKEN, "", f"an answer without usable {error}") from None
