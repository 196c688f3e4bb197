"""is_profiler_issues_found(): what SageMaker's rules say about this training job. Stdlib of Python 3.8.

DescribeTrainingJob has it: DebugRuleEvaluationStatuses and ProfilerRuleEvaluationStatuses, each with a
RuleEvaluationStatus (SageMaker API reference, DescribeTrainingJob).
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Mapping
from typing import Any

from sm_ssh_entry import aws, command
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import ServiceError, ToolMissing

_MEMBERS = ("DebugRuleEvaluationStatuses", "ProfilerRuleEvaluationStatuses")
_FOUND = "IssuesFound"
_SECONDS = 60.0


def issues_found(env: Mapping[str, str]) -> bool:
    """Tell whether any rule of this training job has found issues.

    Args:
        env: the script's environment.

    Raises:
        ValueError: this is no training job.
        SmSshError: the job cannot be described.
    """
    parts = env.get("TRAINING_JOB_ARN", "").split(":", 5)
    if len(parts) < 6 or not parts[5].startswith("training-job/"):
        raise ValueError("TRAINING_JOB_ARN does not name a training job: this is none")
    job = _described(parts[5].partition("/")[2], parts[3], env)
    rules = [rule for member in _MEMBERS for rule in job.get(member) or ()]
    return any(rule.get("RuleEvaluationStatus") == _FOUND for rule in rules)


def _described(name: str, region: str, env: Mapping[str, str]) -> Mapping[str, Any]:
    if importlib.util.find_spec("botocore") is not None:
        with aws.errors_of():
            job: Mapping[str, Any] = aws.client("sagemaker", region=region).describe_training_job(TrainingJobName=name)
        return job
    own = Paths().bin / "aws"
    program = str(own) if own.is_file() else shutil.which("aws", path=env.get("PATH"))
    if program is None:
        hint = "boto3 in requirements.txt, or an image with the AWS CLI"
        raise ToolMissing("neither boto3 nor the AWS CLI is here to describe this training job", hint=hint)
    words = [program, "sagemaker", "describe-training-job", "--training-job-name", name, "--region", region]
    done = command.run([*words, "--output", "json"], env=env, timeout=_SECONDS)
    if not done.ok:
        said = " ".join(done.stderr.split())
        raise ServiceError(
            f"cannot describe the training job: {said}", hint="may its role sagemaker:DescribeTrainingJob?"
        )
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found
