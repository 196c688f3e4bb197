"""Jobs and endpoints are waited for and stopped by their names; how each ends is told as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.errors import AccessDenied, SmSshError
from sm_ssh_entry.sdk.wrappers import records
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.records import Record


class SageMaker:
    """A client that answers from a script.

    Args:
        answers: of each Describe, the last for all that follow.
        refusal: error code of each Stop; ``""``: none.
    """

    def __init__(self, *answers: dict[str, Any], refusal: str = "") -> None:
        self.answers, self.refusal = list(answers), refusal
        self.calls: list[tuple[str, dict[str, str]]] = []

    def __getattr__(self, method: str) -> Any:
        def call(**arguments: str) -> dict[str, Any]:
            self.calls.append((method, arguments))
            if method.startswith("describe"):
                return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if self.refusal:
                raise ClientError({"Error": {"Code": self.refusal, "Message": "no"}}, method)
            return {}

        return call


@dataclass(frozen=True)
class Session:
    """A boto3 session with that client."""

    sagemaker: SageMaker
    region_name: str = "us-east-1"

    def get_credentials(self) -> None:
        """There are none."""

    def client(self, service: str, **_: Any) -> SageMaker:
        assert service == "sagemaker"
        return self.sagemaker


def record(kind: str, sagemaker: SageMaker) -> Record:
    return Record(kind, "one", Account.of(Session(sagemaker)))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_FIRST_PAUSE", 0.001)


@pytest.mark.parametrize(
    ("kind", "member", "method"),
    [
        ("training", "TrainingJobStatus", "describe_training_job"),
        ("processing", "ProcessingJobStatus", "describe_processing_job"),
        ("transform", "TransformJobStatus", "describe_transform_job"),
    ],
)
def test_a_job_is_waited_for_until_it_has_ended(kind: str, member: str, method: str) -> None:
    sagemaker = SageMaker({member: "InProgress"}, {member: "Stopping"}, {member: "Stopped"})
    record(kind, sagemaker).wait(logs=False)
    assert [call for call, _ in sagemaker.calls] == [method] * 3


def test_a_job_that_has_failed_says_why() -> None:
    sagemaker = SageMaker({"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError:\n exit code 1"})
    with pytest.raises(SmSshError, match=r"training job one is Failed: AlgorithmError: exit code 1") as raised:
        record("training", sagemaker).wait(logs=False)
    assert raised.value.hint == "sm-ssh logs one.training.sagemaker"


def test_an_endpoint_is_waited_for_until_it_serves_or_has_failed() -> None:
    passing = [{"EndpointStatus": word} for word in ("Creating", "Updating", "InService")]
    sagemaker = SageMaker(*passing)
    record("inference", sagemaker).wait(logs=False)
    assert len(sagemaker.calls) == 3
    with pytest.raises(SmSshError, match="endpoint one is Failed: no capacity"):
        record("inference", SageMaker({"EndpointStatus": "Failed", "FailureReason": "no capacity"})).wait(logs=False)


def test_a_stop_of_what_has_ended_is_none() -> None:
    sagemaker = SageMaker({"TrainingJobStatus": "Completed"}, refusal="ValidationException")
    record("training", sagemaker).stop()
    assert sagemaker.calls[0] == ("stop_training_job", {"TrainingJobName": "one"})
    with pytest.raises(SmSshError, match="ValidationException"):
        record("training", SageMaker({"TrainingJobStatus": "InProgress"}, refusal="ValidationException")).stop()
    with pytest.raises(AccessDenied):
        record("training", SageMaker({}, refusal="AccessDeniedException")).stop()


def test_rules_of_the_debugger_and_the_profiler_are_told_together() -> None:
    rules = {"DebugRuleEvaluationStatuses": [{"a": 1}], "ProfilerRuleEvaluationStatuses": [{"b": 2}]}
    assert record("training", SageMaker({"TrainingJobStatus": "Completed", **rules})).rule_job_summary() == [
        {"a": 1},
        {"b": 2},
    ]
    assert record("training", SageMaker({"TrainingJobStatus": "Completed"})).rule_job_summary() == []
