"""AWS's errors in our words. The exceptions are botocore's own; the HTTP ones come from real sockets."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import botocore.exceptions
import pytest

from sm_ssh_entry import aws, errors


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    aws._session.cache_clear()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


class Refusing(http.server.BaseHTTPRequestHandler):
    code = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"__type": self.code, "message": "not\nthis time"}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, keys: None) -> Iterator[type[Refusing]]:
    handler = type("Handler", (Refusing,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ExpiredTokenException", errors.CredentialsExpired),
        ("UnrecognizedClientException", errors.CredentialsMissing),
        ("InvalidSignatureException", errors.CredentialsMissing),
        ("AccessDeniedException", errors.AccessDenied),
        ("ThrottlingException", errors.Throttled),
        ("InvalidFilterKey", errors.ServiceError),
    ],
)
def test_each_answer_has_its_own_class(endpoint: type[Refusing], code: str, expected: type[errors.SmSshError]) -> None:
    endpoint.code = code
    client = aws.client("ssm", region="us-east-1", attempts=1)
    with pytest.raises(expected) as caught, aws.errors_of(action="ssm:DescribeInstanceInformation"):
        client.describe_instance_information()
    assert "\n" not in caught.value.message
    if expected is errors.ServiceError:
        assert caught.value.message == "ssm:DescribeInstanceInformation: InvalidFilterKey: not this time"
        assert isinstance(caught.value, errors.ServiceError)
        assert caught.value.code == code


def test_no_region_is_said_with_a_hint(keys: None) -> None:
    with pytest.raises(errors.WrongRegion) as caught:
        aws.client("ssm")
    assert caught.value.message == "no AWS region is set"
    assert "--region" in caught.value.hint


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:9"])
@pytest.mark.parametrize("names", [("AWS_REGION",), ("AWS_DEFAULT_REGION",), ("AWS_REGION", "AWS_DEFAULT_REGION")])
def test_an_empty_region_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: None, names: tuple[str, ...], endpoint: str
) -> None:
    for name in names:
        monkeypatch.setenv(name, "")
    if endpoint:  # with an address of its own, botocore asks for no region
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert aws.region_of() is None
    with pytest.raises(errors.WrongRegion, match="no AWS region is set"):
        aws.client("ssm")
    (tmp_path / "config").write_text("[default]\nregion = eu-north-1\n")
    aws.forget()
    assert aws.region_of() == "eu-north-1"
    assert aws.client("ssm").meta.region_name == "eu-north-1"


def test_a_region_that_cannot_be_one_is_said(keys: None) -> None:
    with pytest.raises(errors.WrongRegion, match="'not a region' is not a region"):
        aws.client("ssm", region="not a region")


def test_an_unknown_profile_is_said() -> None:
    with pytest.raises(errors.CredentialsMissing, match="nobody"):
        aws.client("ssm", region="us-east-1", profile="nobody")


def test_no_credentials_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client = aws.client("ssm", region="us-east-1")
    with pytest.raises(errors.CredentialsMissing), aws.errors_of():
        client.describe_instance_information()


def test_a_closed_port_is_unreachable(monkeypatch: pytest.MonkeyPatch, keys: None) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client = aws.client("ssm", region="us-east-1", attempts=1)
    with pytest.raises(errors.Unreachable) as caught, aws.errors_of(action="ssm:StartSession", region="us-east-1"):
        client.start_session(Target="mi-0123456789abcdef0")
    assert caught.value.message.startswith("ssm:StartSession: the AWS endpoint in us-east-1 does not answer")


def test_bad_parameters_are_one_line(keys: None) -> None:
    client = aws.client("ssm", region="us-east-1")
    with pytest.raises(errors.BadInput) as caught, aws.errors_of(action="ssm:StartSession"):
        client.start_session(Target="")
    assert "\n" not in caught.value.message


def test_what_is_not_aws_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), aws.errors_of():
        _ = 1 / 0
    assert aws.explain(ValueError("x")) is None
    assert isinstance(aws.explain(botocore.exceptions.BotoCoreError()), errors.ServiceError)


def test_regions_of_a_partition_need_no_network() -> None:
    assert "eu-west-1" in aws.regions("ssm")
    assert aws.regions("ssm", like="cn-north-1") == ["cn-north-1", "cn-northwest-1"]
