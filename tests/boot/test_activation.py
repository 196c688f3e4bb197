from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sm_ssh_entry.boot import activation
from sm_ssh_entry.errors import AccessDenied, ServiceError, SmSshError, Throttled, Unreachable


def fails(code: str, message: str = "m") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateActivation")


class Ssm:
    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def create_activation(self, **request: Any) -> dict[str, str]:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return {"ActivationId": "id", "ActivationCode": "code"}


def create(ssm: Ssm, name: str = "job") -> activation.Activation:
    return activation.create(ssm, "role", name, [], "r", datetime(2026, 1, 1, tzinfo=timezone.utc))


def test_one_node_for_an_hour() -> None:
    ssm = Ssm()
    made = create(ssm)
    assert (made.activation_id, made.code, made.region) == ("id", "code", "r")
    (request,) = ssm.asked
    assert request["RegistrationLimit"] == 1
    assert request["ExpirationDate"] == datetime(2026, 1, 1, 1, tzinfo=timezone.utc)
    assert "DefaultInstanceName" in request
    create(ssm, name="")
    assert "DefaultInstanceName" not in ssm.asked[-1]


def test_tags_are_cleaned_cut_and_left_out_when_empty() -> None:
    made = activation.tags({"A": "x" * 300, "B": "", "C": 'a,b;"c"\n#é/:=+-@_.', "D": "ssh-ed25519 AA+/="})
    assert made[0]["Value"] == "x" * 256
    assert [tag["Key"] for tag in made] == ["A", "C", "D"]
    assert made[1]["Value"] == "a-b--c---é/:=+-@_."
    assert made[2]["Value"] == "ssh-ed25519 AA+/="


@pytest.mark.parametrize(
    ("raised", "kind", "hint"),
    [
        (fails("AccessDeniedException"), AccessDenied, "iam:PassRole"),
        (fails("ThrottlingException"), Throttled, "SSH_INSTANCE_COUNT"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), Unreachable, "interface endpoints"),
        (fails("ValidationException", "Nonexistent role"), ServiceError, "SSH_SSM_ROLE"),
        (fails("InternalServerError", "x"), ServiceError, ""),
    ],
)
def test_failures_have_the_containers_hints(raised: Exception, kind: type[SmSshError], hint: str) -> None:
    with pytest.raises(kind) as caught:
        create(Ssm(raised))
    assert hint in caught.value.hint


def test_delays_double_are_spread_and_capped() -> None:
    low: Callable[[], float] = lambda: 0.0  # noqa: E731
    assert [activation.delay(attempt, 0, random_=low) for attempt in (1, 2, 3, 10)] == [0.5, 1.0, 2.0, 10.0]
    assert activation.delay(1, 4, random_=low) > activation.delay(1, 3, random_=low)
    assert activation.delay(99, 10_000) <= 35


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def patiently(action: Callable[[], str], told: list[str]) -> tuple[str, float]:
    clock = Clock()
    found = activation.patiently(
        action,
        rank=3,
        told=lambda error, more: told.append(f"{error.message}: {more}"),
        clock=clock.read,
        pause=clock.pause,
    )
    return found, clock.now


def test_patience_tells_once_and_wins() -> None:
    outcomes: list[str | SmSshError] = [Throttled("slow"), Throttled("slow"), "made"]

    def action() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, SmSshError):
            raise outcome
        return outcome

    told: list[str] = []
    found, took = patiently(action, told)
    assert (found, told) == ("made", ["slow: trying again for up to 300 s"])
    assert took > 0


@pytest.mark.parametrize(("error", "limit"), [(Throttled("slow"), 300.0), (Unreachable("gone"), 10.0)])
def test_patience_ends(error: SmSshError, limit: float) -> None:
    tries = []

    def action() -> str:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        patiently(action, [])
    assert 3 <= len(tries) < 60


def test_final_failure_is_not_tried_again() -> None:
    tries = []

    def action() -> str:
        tries.append(1)
        raise AccessDenied("no")

    with pytest.raises(AccessDenied):
        patiently(action, [])
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:sts::1:assumed-role/JobRole/SageMaker", "JobRole"),
        ("arn:aws:iam::1:user/me", ""),
        ("arn:aws:iam::1:root", ""),
        ("", ""),
    ],
)
def test_role_of_the_caller(arn: str, role: str) -> None:
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Arn": arn, "UserId": "AROA:x"}

    found: list[activation.Caller] = []
    activation.identity(Sts(), found)
    assert found == [activation.Caller("AROA:x", role)]


def test_caller_that_does_not_answer_is_nobody() -> None:
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            raise fails("AccessDenied")

    found: list[activation.Caller] = []
    activation.identity(Sts(), found)
    assert found == []
