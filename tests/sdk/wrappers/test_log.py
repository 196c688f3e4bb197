"""Addresses in the console, of each partition."""

from __future__ import annotations

import pytest

from sm_ssh_entry.sdk.wrappers.log import SSHLog
from sm_ssh_entry.sdk.wrappers.partition import AWS

LOGS = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/"
RECORDS = "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#"
GROUP = "$252Faws$252Fsagemaker$252F"


def test_logs_and_records_of_each_kind() -> None:
    log = SSHLog(region_name="eu-west-1")
    of_job = "$3FlogStreamNameFilter$3Done$252F"
    assert log.get_training_cloudwatch_url("one") == f"{LOGS}{GROUP}TrainingJobs{of_job}"
    assert log.get_processing_cloudwatch_url("one") == f"{LOGS}{GROUP}ProcessingJobs{of_job}"
    assert log.get_transform_cloudwatch_url("one") == f"{LOGS}{GROUP}TransformJobs{of_job}"
    assert log.get_endpoint_cloudwatch_url("one") == f"{LOGS}{GROUP}Endpoints$252Fone"
    app = "d-1$252Fme$252FJupyterLab$252Fdefault"
    assert log.get_ide_cloudwatch_url("d-1", "me", "default") == f"{LOGS}{GROUP}studio$3FlogStreamNameFilter$3D{app}"
    assert log.get_ide_cloudwatch_url("", "", "default").endswith("$3DJupyterLab$252Fdefault")
    assert log.get_training_metadata_url("one") == f"{RECORDS}/jobs/one"
    assert log.get_processing_metadata_url("one") == f"{RECORDS}/processing-jobs/one"
    assert log.get_transform_metadata_url("one") == f"{RECORDS}/transform-jobs/one"
    assert log.get_endpoint_metadata_url("one") == f"{RECORDS}/endpoints/one"
    assert log.get_endpoint_config_metadata_url("one") == f"{RECORDS}/endpointConfig/one"
    assert log.get_model_metadata_url("one") == f"{RECORDS}/models/one"
    assert log.get_ide_metadata_url("d-1", "me") == "https://studio-d-1.studio.eu-west-1.sagemaker.aws/jupyterlab/me"


@pytest.mark.parametrize(
    ("region", "console", "sts"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com", "https://sts.eu-west-1.amazonaws.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn", "https://sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com", "https://sts.us-gov-west-1.amazonaws.com"),
    ],
)
def test_partitions(region: str, console: str, sts: str) -> None:
    assert AWS(region).get_console_domain() == console
    assert AWS(region).get_sts_endpoint() == sts


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("arn:aws:iam::123456789012:role/Job", True),
        ("arn:aws-cn:iam::123456789012:role/service-role/Job", True),
        ("arn:aws:iam::123456789012:user/Job", False),
        ("service-role/Job", False),
    ],
)
def test_arns_of_roles(text: str, wanted: bool) -> None:
    assert bool(AWS.is_arn(text)) is wanted
