"""is_profiler_issues_found(): what DescribeTrainingJob says of a job's rules, by the SDK or by the AWS CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.errors import AccessDenied, ServiceError, ToolMissing
from sm_ssh_entry.in_script import profiler
from tests.boot.container import Container
from tests.in_script.conftest import SAMPLES

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/my-job"


class Service:
    """SageMaker's one answer, over HTTP."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.status = 200
        self.asked: list[tuple[str, dict[str, Any]]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.asked.append((self.headers["X-Amz-Target"], json.loads(body)))
                data = json.dumps(service.answer).encode()
                self.send_response(service.status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_words: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    made = Service()
    for name, value in {
        "AWS_ENDPOINT_URL": made.url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    yield made
    made.server.shutdown()
    made.server.server_close()


def rule(status: str) -> dict[str, str]:
    return {"RuleConfigurationName": "LowGPUUtilization", "RuleEvaluationStatus": status}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, False),
        ({"ProfilerRuleEvaluationStatuses": [rule("InProgress"), rule("NoIssuesFound")]}, False),
        ({"ProfilerRuleEvaluationStatuses": [rule("InProgress"), rule("IssuesFound")]}, True),
        ({"DebugRuleEvaluationStatuses": [rule("IssuesFound")]}, True),
    ],
)
def test_issues_of_any_rule_are_found(service: Service, answer: dict[str, Any], expected: bool) -> None:
    service.answer = {"TrainingJobName": "my-job", **answer}
    assert profiler.issues_found({"TRAINING_JOB_ARN": ARN}) is expected
    assert service.asked == [("SageMaker.DescribeTrainingJob", {"TrainingJobName": "my-job"})]


def test_role_that_may_not_describe_its_job_is_told_so(service: Service) -> None:
    service.status, service.answer = 400, {"__type": "AccessDeniedException", "Message": "no"}
    with pytest.raises(AccessDenied):
        profiler.issues_found({"TRAINING_JOB_ARN": ARN})


@pytest.mark.parametrize("arn", ["", "my-job", "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/my-job"])
def test_elsewhere_than_in_a_training_job_it_is_a_value_error(arn: str) -> None:
    with pytest.raises(ValueError, match="TRAINING_JOB_ARN"):
        profiler.issues_found({"TRAINING_JOB_ARN": arn})


@pytest.mark.parametrize(
    ("status", "said"), [("IssuesFound", b"the profiler has found issues\n"), ("Error", b"no issues\n")]
)
def test_script_of_ssh_helper_ends_early_where_issues_were_found(
    service: Service, container: Container, beside: Path, status: str, said: bytes
) -> None:
    service.answer = {"TrainingJobName": "my-job", "ProfilerRuleEvaluationStatuses": [rule(status)]}
    env = {**container.env, "START_SSH": "false", "PYTHONPATH": str(beside), "AWS_ENDPOINT_URL_SAGEMAKER": service.url}
    job = container.spawn_argv(
        [sys.executable, str(SAMPLES / "train_profiled.py")], env={**env, "STEPS": "2", "PAUSE": "0"}
    )
    assert job.communicate(timeout=180) == (said, b"")
    assert job.returncode == 0


SAY = """
import importlib.util, sys
from sm_ssh_entry.in_script import profiler
try:
    print(profiler.issues_found({"TRAINING_JOB_ARN": sys.argv[1], "PATH": sys.argv[2]}))
except Exception as error:
    print(type(error).__name__, error)
"""


def bare(path: Path) -> str:
    """Run it on a Python that has no packages, with one folder on PATH."""
    root = Path(profiler.__file__).resolve().parents[2]
    code = f"import sys; sys.path.append({str(root)!r}){SAY}"
    words = [sys.executable, "-I", "-S", "-c", code, ARN, f"{path}:/usr/bin:/bin"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def test_aws_cli_answers_where_the_python_has_no_sdk(tmp_path: Path) -> None:
    """The CLI is a script here: what is tested is what it is asked, and how its answer is read."""
    program = tmp_path / "aws"
    program.write_text('#!/bin/sh\n[ "$*" = "$WANTED" ] || { echo "asked $*" >&2; exit 252; }\necho "$ANSWER"\n')
    program.chmod(0o755)
    wanted = "sagemaker describe-training-job --training-job-name my-job --region eu-west-1 --output json"
    answer = json.dumps({"ProfilerRuleEvaluationStatuses": [rule("IssuesFound")]})
    text = program.read_text().replace("$WANTED", wanted).replace('"$ANSWER"', f"'{answer}'")
    program.write_text(text)
    assert bare(tmp_path) == "True\n"
    program.write_text("#!/bin/sh\necho 'An error occurred (AccessDeniedException)' >&2\nexit 254\n")
    assert bare(tmp_path).startswith(
        f"{ServiceError.__name__} cannot describe the training job: An error occurred (Acc"
    )


def test_neither_sdk_nor_cli_is_told(tmp_path: Path) -> None:
    if shutil.which("aws", path="/usr/bin:/bin"):
        pytest.skip("this machine has an AWS CLI where every PATH has it")
    assert bare(tmp_path).startswith(f"{ToolMissing.__name__} neither boto3 nor the AWS CLI is here")
