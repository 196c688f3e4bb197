"""Answers as botocore's own parsers read them."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from botocore.parsers import create_parser

from sm_ssh_entry.plane import answers
from sm_ssh_entry.plane.api import AwsError, Caller

ERROR = AwsError("ExpiredTokenException", "it is <over> & done")


def parsed(protocol: str, response: web.Response, shape: Any = None) -> Any:
    body = response.body
    assert isinstance(body, bytes)
    found = {"status_code": response.status, "headers": dict(response.headers), "body": body, "context": {}}
    return create_parser(protocol).parse(found, shape)


@pytest.mark.parametrize(
    ("how", "protocol", "code"),
    [
        ("json", "json", "ExpiredTokenException"),
        ("json", "rest-json", "ExpiredTokenException"),
        ("query", "query", "ExpiredToken"),
        ("s3", "rest-xml", "ExpiredToken"),
    ],
)
def test_each_dialect_carries_code_and_text(how: str, protocol: str, code: str) -> None:
    found = parsed(protocol, answers.failure(ERROR, how))
    assert (found["Error"]["Code"], found["Error"]["Message"]) == (code, "it is <over> & done")


def test_status_codes() -> None:
    assert answers.failure(ERROR).status == 400
    assert answers.failure(ERROR, "query").status == 403
    assert answers.failure(AwsError("InternalServerError", "", 500), "s3").status == 500
    assert answers.failure(AwsError("Throttling", "", 503), "query").status == 503


@pytest.mark.parametrize(
    ("headers", "service", "how"),
    [
        ({"X-Amz-Target": "SageMaker.ListModels"}, "sagemaker", "json"),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, "sts", "query"),
        ({}, "s3", "s3"),
        ({}, "", "s3"),
        ({"Content-Type": "application/json"}, "lambda", "json"),
    ],
)
def test_the_callers_dialect(headers: dict[str, str], service: str, how: str) -> None:
    assert answers.dialect(headers, service) == how


def test_the_callers_identity_is_escaped() -> None:
    response = answers.caller_identity(Caller("AKIA", "arn:<&>", "AROA:a&b", account="123456789012"))
    assert isinstance(response.body, bytes)
    assert b"<Arn>arn:&lt;&amp;&gt;</Arn><UserId>AROA:a&amp;b</UserId><Account>123456789012</Account>" in response.body
