"""What was asked for, checked, and the variables that it becomes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sm_ssh_entry import aws, contract
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import public_keys
from sm_ssh_entry.sdk.state import Container

# Held at the start until `sm-wait stop`, but not for ever: an instance costs money. What serves must answer its health
# check within minutes (contract page, 1.4).
WAIT_FOR_JOBS = 600
INSTANCE_COUNT = 2
_SECONDS_MAX = 30 * 86400
_PORT_MAX = 65535
# sshd's ports of containers that share an instance: the lowest that needs no root.
_SHARED_PORT = 2222
# IAM: CreateActivation takes 64 characters of path and name (contract page, 5.1).
_ROLE = re.compile(r"[\w+=,.@/-]{1,64}")

NAMES = (
    contract.START_SSH,
    contract.SSH_SSM_ROLE,
    contract.SSH_OWNER_TAG,
    contract.SSH_WAIT_TIME_SECONDS,
    contract.SSH_INSTANCE_COUNT,
    contract.SSH_LOG_TO_STDOUT,
    contract.SSH_AUTHORIZED_KEYS,
    contract.SSH_SESSION_ID,
    contract.SSH_ON_ERROR,
    contract.SSH_HOLD_ON_FAILURE_SECONDS,
    contract.SSH_IDLE_TIMEOUT_SECONDS,
    contract.SSH_DEREGISTER_ON_EXIT,
    contract.SSH_PORT,
)


class Settings(NamedTuple):
    """The arguments of ``enable_ssh`` that become variables; their meaning is told there."""

    connection_wait_time_seconds: int | None = None
    ssh_instance_count: int | None = None
    ssm_iam_role: str = ""
    owner: str | None = None
    public_key: str | None = None
    session_id: str = ""
    log_to_stdout: bool = False
    on_error: str = ""
    hold_on_failure_seconds: int | None = None
    idle_timeout_seconds: int | None = None
    deregister_on_exit: bool | None = None
    port: int | None = None


def checked(asked: Settings) -> Settings:
    """Return the arguments in the form that the container takes; only what needs no look-up.

    Raises:
        BadInput: one of them cannot be right.
        KeyRefused: the public key cannot be used.
    """
    seconds = ("connection_wait_time_seconds", "hold_on_failure_seconds", "idle_timeout_seconds")
    for name in seconds:
        _number(name, getattr(asked, name), 0, _SECONDS_MAX)
    _number("ssh_instance_count", asked.ssh_instance_count, 1, 10_000)
    _number("port", asked.port, 1, _PORT_MAX)
    if asked.on_error not in {"", "continue", "fail"}:
        raise BadInput("on_error is neither continue nor fail")
    for name in ("owner", "session_id"):
        value = getattr(asked, name) or ""
        if len(value) > contract.TAG_VALUE_MAX or not re.fullmatch(contract.TAG_VALUE_PATTERN, value):
            raise BadInput(
                f"{name} cannot be the value of a tag",
                hint="letters, digits, spaces and _.:/=+-@, at most 256 characters",
            )
    role = role_name(asked.ssm_iam_role) or asked.ssm_iam_role.strip("/")
    if role and not _ROLE.fullmatch(role):
        raise BadInput("ssm_iam_role is no IAM role", hint="give its path and name, or its ARN")
    key = public_keys.given(asked.public_key) if asked.public_key else asked.public_key
    return asked._replace(ssm_iam_role=role, public_key=key)


def said(asked: Settings, rank: int | None) -> dict[str, str]:
    """Return the variables that the arguments say; what they leave open is not among them.

    Args:
        asked: what ``checked`` returned.
        rank: the container's place among those that share its instance; None: it shares it with none.
    """
    deregister = asked.deregister_on_exit
    found = {
        contract.START_SSH: "true",
        contract.SSH_SSM_ROLE: asked.ssm_iam_role,
        contract.SSH_OWNER_TAG: asked.owner or "",
        contract.SSH_WAIT_TIME_SECONDS: _text(asked.connection_wait_time_seconds),
        contract.SSH_INSTANCE_COUNT: _text(asked.ssh_instance_count),
        contract.SSH_LOG_TO_STDOUT: "true" if asked.log_to_stdout else "",
        contract.SSH_AUTHORIZED_KEYS: asked.public_key or "",
        contract.SSH_SESSION_ID: _ranked(asked.session_id, rank) if asked.session_id else "",
        contract.SSH_ON_ERROR: asked.on_error,
        contract.SSH_HOLD_ON_FAILURE_SECONDS: _text(asked.hold_on_failure_seconds),
        contract.SSH_IDLE_TIMEOUT_SECONDS: _text(asked.idle_timeout_seconds),
        contract.SSH_DEREGISTER_ON_EXIT: "" if deregister is None else str(bool(deregister)).lower(),
        contract.SSH_PORT: "" if asked.port is None else str(asked.port + (rank or 0)),
    }
    return {name: value for name, value in found.items() if value}


def looked_up(
    asked: Settings, present: Collection[str], session: Any, *, region: str | None, profile: str | None
) -> dict[str, str]:
    """Look up what the arguments leave to us: the owner, the key; make the session's id.

    Args:
        asked: what ``checked`` returned.
        present: variables that every container has already: these are not looked up.
        session: the SDK's session, or boto3's; None: there is none.
        region: region for STS where there is no session.
        profile: profile likewise.

    Raises:
        KeyRefused: the key that SSH_KEY names cannot be used.
        SmSshError: STS does not answer.
    """
    found = {contract.SSH_SESSION_ID: secrets.token_hex(8)}
    if asked.owner is None and contract.SSH_OWNER_TAG not in present:
        found[contract.SSH_OWNER_TAG] = _caller(session, region, profile)
    if asked.public_key is None and contract.SSH_AUTHORIZED_KEYS not in present:
        found[contract.SSH_AUTHORIZED_KEYS] = public_keys.usual()
    return found


def defaults(found: Mapping[str, str], container: Container) -> dict[str, str]:
    """Return the variables of one container that hold where neither the arguments nor its own variables say more.

    Args:
        found: what ``looked_up`` returned.
        container: which one.
    """
    rank = container.rank
    values = {
        **found,
        contract.SSH_SSM_ROLE: role_name(container.role),
        contract.SSH_WAIT_TIME_SECONDS: str(0 if container.kind == "inference" else WAIT_FOR_JOBS),
        contract.SSH_INSTANCE_COUNT: str(INSTANCE_COUNT),
        contract.SSH_SESSION_ID: _ranked(found[contract.SSH_SESSION_ID], rank),
        contract.SSH_PORT: "" if rank is None else str(_SHARED_PORT + rank),
    }
    return {name: value for name, value in values.items() if value}


def role_name(role: object) -> str:
    """Return path and name of a role's ARN, ``""`` for what is no ARN: a bare name may lack its path.

    Args:
        role: an ARN, a name, or something that only the service will know.
    """
    return role.partition(":role/")[2] if isinstance(role, str) else ""


def ours(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a container's variables that are ours, in the contract's order."""
    return {name: environment[name] for name in NAMES if name in environment}


def _caller(session: Any, region: str | None, profile: str | None) -> str:
    boto_session = getattr(session, "boto_session", session)
    with aws.errors_of(action="sts:GetCallerIdentity", region=region):
        if boto_session is None:
            sts = aws.client("sts", region=region, profile=profile)
        else:
            sts = boto_session.client("sts", region_name=region or boto_session.region_name)
        return str(sts.get_caller_identity()["UserId"])


def _number(name: str, value: object, low: int, high: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{name} is not a whole number from {low} to {high}")


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _ranked(session_id: str, rank: int | None) -> str:
    return session_id if rank is None else f"{session_id}-{rank}"
