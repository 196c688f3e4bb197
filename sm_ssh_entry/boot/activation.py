"""A hybrid activation with our tags, made with the container's own role, and the patience that takes."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from sm_ssh_entry import __version__, aws, contract
from sm_ssh_entry.errors import (
    AccessDenied,
    BadInput,
    CredentialsExpired,
    CredentialsMissing,
    ServiceError,
    SmSshError,
    Throttled,
    Unreachable,
    WrongRegion,
)

T = TypeVar("T")

# An activation is used at once, by one node. An hour forgives a clock that is wrong.
LIFETIME = timedelta(hours=1)
# Role names that SageMaker's consoles make live under this path, which STS does not show (contract page, 5.1).
SERVICE_ROLE = "service-role/"
THROTTLED_FOR = 300.0
UNREACHABLE_FOR = 10.0
_CREATOR_GRACE = 0.5
_DESCRIPTION_MAX = 256


@dataclass(frozen=True)
class Activation:
    """A pair that registers one node. The code is a secret: it has no place in a log, a message or a repr."""

    activation_id: str
    code: str = field(repr=False)
    region: str


@dataclass(frozen=True)
class Caller:
    """Who the container is to AWS: ``user_id`` as in ``aws:userid``, and the name of its role, without its path."""

    user_id: str = ""
    role: str = ""


def clean(value: str) -> str:
    """Return a text as AWS takes it for a tag's value: what is outside the alphabet becomes ``-``, 256 characters."""
    return re.sub(r"[^\w .:/=+\-@]", "-", value)[: contract.TAG_VALUE_MAX]


def tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags for the API; those without a value are left out.

    Args:
        values: tag keys and values.
    """
    return [{"Key": key, "Value": clean(value)} for key, value in values.items() if value]


def delay(attempt: int, rank: int, *, random_: Callable[[], float] = random.random) -> float:
    """Return seconds to wait before another try: doubling, capped, spread by chance and by rank.

    Args:
        attempt: failed tries so far, from 1.
        rank: this node's place in its job.
        random_: 0 to 1.
    """
    return float(min(20.0, 0.5 * 2**attempt)) * (0.5 + random_()) + 0.05 * min(rank, 100)


def patiently(
    action: Callable[[], T],
    *,
    rank: int,
    told: Callable[[SmSshError, str], None],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """Call something until it works, until its failure is final, or until patience ends.

    A job may be shorter than our patience, so the first failure is told at once, and only that one.

    Args:
        action: raises an error of our tree.
        rank: this node's place in its job.
        told: gets the first failure that is not final, and what we do about it.
        clock: monotonic seconds.
        pause: sleeps.

    Raises:
        SmSshError: what the action raised last; one that was told already is the same kind of error.
    """
    began = clock()
    attempt = 0
    while True:
        try:
            return action()
        except (Throttled, Unreachable) as error:
            attempt += 1
            limit = THROTTLED_FOR if isinstance(error, Throttled) else UNREACHABLE_FOR
            wait = delay(attempt, rank)
            if clock() - began + wait > limit:
                raise
            if attempt == 1:
                told(error, f"trying again for up to {limit:g} s")
            pause(wait)


def identity(sts: Any, into: list[Caller]) -> None:
    """Ask STS who we are; append the answer, or nothing where there is none.

    Args:
        sts: its client.
        into: where the answer goes.
    """
    try:
        with aws.errors_of(action="sts:GetCallerIdentity"):
            answer = sts.get_caller_identity()
    except SmSshError:
        return
    resource = str(answer.get("Arn", "")).rpartition(":")[2].split("/")
    role = resource[1] if resource[0] == "assumed-role" and len(resource) > 1 else ""
    into.append(Caller(str(answer.get("UserId", "")), role))


def caller(region: str, *, needed: bool) -> Callable[[], Caller]:
    """Start to ask STS who we are; return a function that waits for the answer.

    The call runs beside the making of the other client, so it costs no time. Where the role is known already its
    answer is only good for a tag: then a slow or unreachable STS is not waited for.

    Args:
        region: region.
        needed: whether there is no other source for the role.
    """
    found: list[Caller] = []
    client = aws.client("sts", region=region, timeout=10.0, attempts=2)
    thread = threading.Thread(target=identity, args=(client, found), daemon=True)
    thread.start()

    def answer() -> Caller:
        thread.join(30.0 if needed else _CREATOR_GRACE)
        return found[0] if found else Caller()

    return answer


def create(  # noqa: PLR0917 # the six values of one API call
    ssm: Any, role: str, name: str, tag_list: list[dict[str, str]], region: str, now: datetime | None = None
) -> Activation:
    """Create one activation for one node.

    Args:
        ssm: the SSM client.
        role: IAM role for the node: its name, with its path where it has one.
        name: the node's default name, the job's.
        tag_list: tags that the node will have.
        region: region, which the registration needs as well.
        now: current time; None: the clock's.

    Raises:
        SmSshError: with a hint for whoever sets up the job.
    """
    request: dict[str, Any] = {
        "IamRole": role,
        "Description": clean(f"sm-ssh {__version__} {name}")[:_DESCRIPTION_MAX],
        "RegistrationLimit": 1,
        "ExpirationDate": (now or datetime.now(timezone.utc)) + LIFETIME,
        "Tags": tag_list,
    }
    if name:
        request["DefaultInstanceName"] = clean(name)
    try:
        with aws.errors_of(action="ssm:CreateActivation", region=region):
            answer = ssm.create_activation(**request)
    except SmSshError as error:
        raise _with_hint(error, role) from error
    return Activation(str(answer["ActivationId"]), str(answer["ActivationCode"]), region)


def unknown_role(error: SmSshError) -> bool:
    """Tell whether AWS says that the role does not exist, or is not one for SSM."""
    return isinstance(error, ServiceError) and "role" in error.message.lower() and "Validation" in error.code


_HINTS: tuple[tuple[type[SmSshError], str], ...] = (
    (
        AccessDenied,
        "the job's role needs ssm:CreateActivation, ssm:AddTagsToResource, and iam:PassRole on the SSM role",
    ),
    (CredentialsMissing, "a container under network isolation has no credentials and cannot be reached by SSH"),
    (CredentialsExpired, "the container's own credentials must be valid for as long as it runs"),
    (Unreachable, "a job in a VPC needs the interface endpoints ssm and ssmmessages, or a NAT gateway"),
    (Throttled, "fewer nodes at a time, a smaller SSH_INSTANCE_COUNT, or a higher quota for ssm:CreateActivation"),
    (WrongRegion, "set AWS_REGION to the job's region"),
    (BadInput, "check SSH_SSM_ROLE and SSH_OWNER_TAG"),
)


def _with_hint(error: SmSshError, role: str) -> SmSshError:
    """Return the same error with a hint for the container's side."""
    hint = next((text for kind, text in _HINTS if isinstance(error, kind)), error.hint)
    if unknown_role(error):
        hint = f"{role} must exist and trust ssm.amazonaws.com; set SSH_SSM_ROLE to its path and name"
    if isinstance(error, ServiceError):
        return ServiceError(error.message, code=error.code, hint=hint)
    return type(error)(error.message, hint=hint)
