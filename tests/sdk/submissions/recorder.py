"""A boto3 session whose requests are kept, as they would go over the wire, and answered by canned answers.

It runs in the environments of SageMaker's SDKs, where neither pytest nor this repository's tests can be imported.
"""

# mypy: ignore-errors

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3

ACCOUNT = "111122223333"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/Runner"
OWNER = "AROAEXAMPLE:somebody"
NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
_NAMED = {
    "CreateTrainingJob": ("TrainingJobArn", "training-job/"),
    "CreateProcessingJob": ("ProcessingJobArn", "processing-job/"),
    "CreateTransformJob": ("TransformJobArn", "transform-job/"),
    "CreateHyperParameterTuningJob": ("HyperParameterTuningJobArn", "hyper-parameter-tuning-job/"),
    "CreateModel": ("ModelArn", "model/"),
    "CreateEndpointConfig": ("EndpointConfigArn", "endpoint-config/"),
    "CreateEndpoint": ("EndpointArn", "endpoint/"),
    "CreatePipeline": ("PipelineArn", "pipeline/"),
}


def offline() -> None:
    """Let nothing leave this process: what the recorder does not answer fails at once. The SDKs send no telemetry.

    Nor do they wait between two looks at a job: the recorder's have ended when they are created.
    """

    def refuse(*words: Any, **_: Any) -> Any:
        raise OSError(f"the network is not for tests: {words[0]}")

    socket.getaddrinfo = refuse
    time.sleep = lambda _: None
    for name in [name for name in sys.modules if name.endswith(".telemetry_logging")]:
        vars(sys.modules[name])["_send_telemetry_request"] = lambda *_, **__: None


class _Answer:
    status_code = 200

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}


class Recorder:
    """Keeps what SageMaker would receive. One for all cases: each new client costs half a second.

    Attributes:
        session: boto3's.
        seen: operation and body of each request to SageMaker that creates something.
        asked: operations of all requests.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        self.session = boto3.Session(
            aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="example", region_name=REGION
        )
        self.session.events.register("before-call", self._answer)

    def taken(self) -> tuple[list[Any], list[str]]:
        """Return what was seen and asked since the last time."""
        taken = self.seen, self.asked
        self.seen, self.asked = [], []
        return taken

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[_Answer, dict[str, Any]]:
        self.asked.append(f"{model.service_model.service_name}:{model.name}")
        body = params.get("body")
        if model.name.startswith("Describe") and model.service_model.service_name == "sagemaker":
            return _Answer(), self._described(model.name, json.loads(body))
        if model.name in _NAMED:
            self.seen.append((model.name, json.loads(body)))
        answer = {"ResponseMetadata": {"HTTPStatusCode": 200}, **self._canned(model.name, body)}
        return _Answer(), answer

    def _described(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return what was created under that name, as if it had ended at once."""
        kind = operation.removeprefix("Describe")
        name = next(value for key, value in body.items() if key.endswith("Name"))
        made = next((one for what, one in self.seen if what == f"Create{kind}" and name in one.values()), {})
        arn, word = _NAMED.get(f"Create{kind}", ("Arn", ""))
        ended = {f"{kind}Status": "Stopped", "SecondaryStatus": "Stopped", "EndpointStatus": "InService"}
        times = {"CreationTime": NOW, "LastModifiedTime": NOW}
        return {
            **made,
            **body,
            **times,
            **ended,
            arn: f"{_ARN}{word}{name}",
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }

    def _canned(self, operation: str, body: Any) -> dict[str, Any]:
        if operation in _NAMED:
            member, kind = _NAMED[operation]
            name = next(value for key, value in json.loads(body).items() if key.endswith("Name"))
            return {member: f"{_ARN}{kind}{name}"}
        may = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Statement": [may]})
        actions = [value for key, value in body.items() if "Action" in key] if isinstance(body, dict) else []
        me = f"arn:aws:sts::{ACCOUNT}:assumed-role/Me/somebody"
        answers: dict[str, dict[str, Any]] = {
            "GetCallerIdentity": {"UserId": OWNER, "Account": ACCOUNT, "Arn": me},
            "SimulatePrincipalPolicy": {
                "EvaluationResults": [{"EvalActionName": one, "EvalDecision": "allowed"} for one in actions]
            },
            "DescribeLogStreams": {"logStreams": []},
            "ListBuckets": {"Buckets": []},
            "GetRole": {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": trust}},
        }
        return answers.get(operation, {})


def outcome(action: Callable[..., Any], *words: Any) -> Any:
    """Return what an action returns, or the class, message and hint of what it raises."""
    try:
        return action(*words)
    except Exception as error:  # noqa: BLE001 - that is what is asked for
        return {"raised": type(error).__name__, "message": str(error), "hint": getattr(error, "hint", "")}


def run(cases: dict[str, Callable[[Recorder, Callable[..., Any]], Any]]) -> None:
    """Run each case twice, without and with SSH, and write what was sent as JSON into the file named second.

    A case makes its object with the recorder's session, gives it to its second argument, submits it, and may return
    more.
    """
    from sm_ssh_entry.sdk import enable_ssh, enabled

    offline()
    recorder = Recorder()
    found: dict[str, Any] = {}

    def off(target: Any, **_: Any) -> Any:
        return target

    def state(target: Any) -> Any:
        now = enabled(target)
        return now and now._asdict()

    for name, case in cases.items():
        kept: list[Any] = [None]

        def on(target: Any, kept: list[Any] = kept, **more: Any) -> Any:
            kept[0] = enable_ssh(target, **more)
            return kept[0]

        said = [outcome(case, recorder, off)]
        bare, _ = recorder.taken()
        said.append(outcome(case, recorder, on))
        now = outcome(state, kept[0]) if kept[0] is not None else None
        ours, asked = recorder.taken()
        found[name] = {"bare": bare, "ours": ours, "asked": asked, "said": said, "enabled": now}
    Path(sys.argv[2]).write_text(json.dumps(found, default=str), encoding="utf-8")
