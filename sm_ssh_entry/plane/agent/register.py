"""``-register``: one hybrid activation becomes one registration.

Unlike the official agent, which overwrites its key before it asks the service, a registration that fails here leaves
the one before it as it was.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput, ServiceError, Unreachable
from sm_ssh_entry.plane.agent import backoff, service
from sm_ssh_entry.plane.agent.identity import Identity, Vault, new_fingerprint, new_key, public_text
from sm_ssh_entry.plane.agent.settings import Settings

ATTEMPTS = 6
FIRST_DELAY = 0.1
MAX_DELAY = 1.6
_REGION = re.compile(r"[A-Za-z0-9-]{1,100}")


@dataclass(frozen=True)
class Activation:
    """What the command line gives. ``code`` is a secret."""

    activation_id: str
    code: str
    region: str


def check(activation: Activation) -> None:
    """Refuse what cannot be an activation.

    Raises:
        BadInput: a part is missing, or the region is not one (protocol page, section 1).
    """
    missing = [
        flag
        for flag, value in (
            ("-code", activation.code),
            ("-id", activation.activation_id),
            ("-region", activation.region),
        )
        if not value
    ]
    if missing:
        raise BadInput(f"-register needs {', '.join(missing)}", hint="CreateActivation returns the code and the id")
    if not _REGION.fullmatch(activation.region):
        raise BadInput(f"{activation.region!r} is not a region", hint="letters, digits and hyphens only")


def register(
    settings: Settings,
    activation: Activation,
    *,
    similarity_check: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Identity:
    """Register this node and write its files.

    Args:
        settings: endpoint and root.
        activation: checked activation.
        similarity_check: False: write that hardware is never compared.
        sleep: waits so many seconds between two tries.

    Raises:
        SetupFailed: the files cannot be written; found out before the activation is spent.
        ServiceError: the service refused; Unreachable: it did not answer, six times.
    """
    vault = Vault(settings.paths)
    vault.prepare()
    key, fingerprint = new_key(), new_fingerprint()
    body = {
        "ActivationCode": activation.code,
        "ActivationId": activation.activation_id,
        "PublicKey": public_text(key),
        "PublicKeyType": "Rsa",
        "Fingerprint": fingerprint,
    }
    node_id = _ask(settings, body, sleep)
    identity = Identity(node_id, activation.region, fingerprint, key)
    vault.save(identity, similarity_check=similarity_check)
    return identity


def _ask(settings: Settings, body: dict[str, str], sleep: Callable[[float], None]) -> str:
    pauses = [*islice(backoff.delays(FIRST_DELAY, MAX_DELAY), ATTEMPTS - 1), None]
    for pause in pauses:
        try:
            answer = service.register(settings, body)
        except service.CallError as error:
            if error.passing and pause is not None:
                sleep(pause)
                continue
            if not error.code:
                raise Unreachable(
                    f"registration failed after {ATTEMPTS} tries: {error.message}",
                    hint=f"is the plane at {settings.ssm_url} running?",
                ) from error
            raise ServiceError(
                f"registration failed: {error.code}: {error.message}",
                code=error.code,
                hint="an activation expires, and registers a limited number of nodes",
            ) from error
        node_id = str(answer.get("InstanceId", ""))
        if not re.fullmatch(contract.NODE_ID_PATTERN, node_id):
            raise ServiceError("registration failed: the service returned no managed node id", code="")
        return node_id
    raise AssertionError("the last try returns or raises")
