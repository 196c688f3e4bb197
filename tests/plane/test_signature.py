"""Signatures that botocore made, whole and tampered with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.credentials import Credential
from sm_ssh_entry.plane.signature import Message, authenticate, parse
from sm_ssh_entry.plane.store import Store

HOST = "127.0.0.1:8000"


def signed(
    credential: Credential,
    *,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"{}",
    service: str = "ssm",
    auth: Callable[..., Any] = SigV4Auth,
    headers: dict[str, str] | None = None,
) -> Message:
    """What botocore would send."""
    from botocore.credentials import Credentials

    keys = Credentials(credential.access_key, credential.secret, credential.token or None)
    request = AWSRequest(method, f"http://{HOST}{target}", data=body, headers=headers or {})
    auth(keys, service, "us-east-1").add_auth(request)
    parts = urlsplit(request.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Message(method, path, CIMultiDict({"Host": HOST} | dict(request.headers.items())), body)


def check(store: Store, message: Message, now: Callable[[], float] = time.time) -> Credential:
    found = parse(message)
    assert found is not None
    return authenticate(store, message, found, now=now)


def refused(store: Store, message: Message, now: Callable[[], float] = time.time) -> str:
    with pytest.raises(AwsError) as raised:
        check(store, message, now)
    return raised.value.code


@pytest.mark.parametrize(
    "target",
    ["/", "/v1/data-channel/me-0123?role=publish_subscribe", "/a/../b//c/?x=1&x=0&y", "/tr%C3%A4in%20me/a+b?q=%2F~"],
)
def test_botocores_signature_holds(target: str) -> None:
    store = Store()
    assert check(store, signed(store.credentials.user, target=target)) is store.credentials.user
    assert check(store, signed(store.credentials.user, target=target, method="GET", body=b""))


def test_s3_signs_the_path_as_it_is_and_its_body_by_a_header() -> None:
    store = Store()
    message = signed(
        store.credentials.user, target="/b/a//b/../k%20é".replace("é", "%C3%A9"), service="s3", auth=S3SigV4Auth
    )
    assert check(store, message)
    streamed = Message(message.method, message.target, message.headers, None)
    assert check(store, streamed)


def test_a_session_token_is_part_of_it() -> None:
    store = Store()
    issued = store.credentials.issue(expires_in=60)
    message = signed(issued)
    assert check(store, message) is issued
    headers = CIMultiDict(message.headers)
    headers["X-Amz-Security-Token"] = "another"
    assert refused(store, Message("POST", "/", headers, b"{}")) == "UnrecognizedClientException"
    del headers["X-Amz-Security-Token"]
    assert refused(store, Message("POST", "/", headers, b"{}")) == "UnrecognizedClientException"


def test_whatever_is_changed_afterwards_breaks_it() -> None:
    store = Store()
    target = {"X-Amz-Target": "AmazonSSM.DescribeActivations"}
    message = signed(store.credentials.user, target="/p?q=1", headers=target)
    for changed in (
        Message("PUT", message.target, message.headers, b"{}"),
        Message("POST", "/p?q=2", message.headers, b"{}"),
        Message("POST", "/r?q=1", message.headers, b"{}"),
        Message("POST", message.target, message.headers, b"{ }"),
        Message("POST", message.target, with_header(message, "X-Amz-Target", "AmazonSSM.CreateActivation"), b"{}"),
        Message("POST", message.target, with_header(message, "Host", "elsewhere"), b"{}"),
    ):
        assert refused(store, changed) == "InvalidSignatureException"
    assert check(store, Message("POST", message.target, with_header(message, "Via", "a proxy"), b"{}"))


def with_header(message: Message, name: str, value: str) -> CIMultiDict[str]:
    headers = CIMultiDict(message.headers)
    headers[name] = value
    return headers


def test_a_stated_hash_must_be_the_bodys() -> None:
    store = Store()
    message = signed(store.credentials.user, service="s3", auth=S3SigV4Auth, body=b"one", target="/b/k")
    assert refused(store, Message("POST", "/b/k", message.headers, b"two")) == "InvalidSignatureException"


def test_who_is_unknown_expired_or_has_another_secret() -> None:
    store, other = Store(), Store()
    assert refused(store, signed(other.credentials.user)) == "UnrecognizedClientException"
    assert refused(store, signed(store.credentials.issue(expires_in=-1))) == "ExpiredTokenException"
    from dataclasses import replace

    forged = replace(store.credentials.user, secret="guess")
    assert refused(store, signed(forged)) == "InvalidSignatureException"


def test_old_and_future_signatures_are_refused() -> None:
    store = Store()
    message = signed(store.credentials.user)
    assert check(store, message, lambda: time.time() + 290)
    assert refused(store, message, lambda: time.time() + 310) == "InvalidSignatureException"
    assert refused(store, message, lambda: time.time() - 310) == "InvalidSignatureException"


def test_a_presigned_url_holds_as_long_as_it_says() -> None:
    store = Store()

    def presign(service: str, auth: Any) -> Message:
        def limited(keys: Any, name: str, region: str) -> Any:
            return auth(keys, name, region, expires=1000)

        return signed(store.credentials.issue(), method="GET", target="/b/k", body=b"", service=service, auth=limited)

    for message in (presign("s3", S3SigV4QueryAuth), presign("sts", SigV4QueryAuth)):
        assert check(store, message, lambda: time.time() + 990)
        assert refused(store, message, lambda: time.time() + 1010) == "InvalidSignatureException"
        longer = Message("GET", message.target.replace("Expires=1000", "Expires=9000"), message.headers, b"")
        assert refused(store, longer) == "InvalidSignatureException"


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/other, SignedHeaders=host, Signature=b",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
        "Basic dXNlcjpwYXNz",
        "Bearer x",
        ",,,===",
    ],
)
def test_half_a_signature_is_no_signature(value: str) -> None:
    with pytest.raises(AwsError) as raised:
        parse(Message("POST", "/", CIMultiDict({"Host": HOST, "Authorization": value}), b""))
    assert raised.value.code == "IncompleteSignatureException"


def test_the_host_must_be_signed() -> None:
    value = "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=x-amz-date, Signature=b"
    with pytest.raises(AwsError) as raised:
        parse(Message("POST", "/", CIMultiDict({"Host": HOST, "Authorization": value}), b""))
    assert raised.value.code == "InvalidSignatureException"


def test_unsigned_is_told_from_wrongly_signed() -> None:
    assert parse(Message("POST", "/?a=b", CIMultiDict({"Host": HOST}), b"")) is None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40), st.binary(max_size=40))
def test_fuzz_any_header_and_target_end_in_an_aws_error(credential: str, sig: str, target: str, raw: bytes) -> None:
    """Invariant: whatever stands in the headers and the request line, the outcome is an AwsError."""
    store = Store()
    text = raw.decode("utf-8", "surrogateescape")
    key = store.credentials.user.access_key
    date = time.strftime("%Y%m%d", time.gmtime())
    for scope in (credential, f"{key}/{date}/us-east-1/ssm/aws4_request"):
        value = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x, Signature={sig}{text}"
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = CIMultiDict({"Authorization": value, "Host": text, "X": text, "X-Amz-Date": stamp})
        with pytest.raises(AwsError):
            check(store, Message("POST", f"/{target}{text}", headers, raw))
