"""Signatures, judged by the two who know: AWS's published example, and the node's public key."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timezone

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sm_ssh_entry.plane.agent.identity import Identity, new_key
from sm_ssh_entry.plane.agent.signing import RoleCredentials, sign, sign_as_node

NODE = "mi-0123456789abcdef0"
URL = "http://127.0.0.1:4566/"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return new_key()


def test_role_credentials_sign_as_in_the_published_example(monkeypatch: pytest.MonkeyPatch) -> None:
    # The "get-vanilla" case of AWS's public Signature Version 4 test suite.
    class Fixed(datetime):
        @classmethod
        def at(cls) -> datetime:
            return datetime(2015, 8, 30, 12, 36, tzinfo=timezone.utc)

    monkeypatch.setattr("botocore.auth.get_current_datetime", Fixed.at)
    headers = sign(
        RoleCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        method="GET",
        url="https://example.amazonaws.com/",
        service="service",
        region="us-east-1",
        headers={},
    )
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_a_session_token_is_sent_and_signed() -> None:
    headers = sign(
        RoleCredentials("AKID", "secret", "token"),
        method="POST",
        url=URL,
        service="ssmmessages",
        region="eu-west-1",
        headers={"Content-Type": "application/json"},
        body=b"{}",
    )
    assert headers["X-Amz-Security-Token"] == "token"
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in headers["Authorization"]


def test_the_node_key_signs_the_string_to_sign(key: RSAPrivateKey) -> None:
    body = b'{"Fingerprint":"f"}'
    headers = sign_as_node(
        Identity(NODE, "eu-west-1", "f", key),
        method="POST",
        url=URL,
        service="ssm",
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.X"},
        body=body,
    )
    algorithm, _, rest = headers["Authorization"].partition(" ")
    fields = dict(part.strip().split("=", 1) for part in rest.split(","))
    when = headers["X-Amz-Date"]
    scope = f"{when[:8]}/eu-west-1/ssm/aws4_request"
    assert algorithm == "AWS4-HMAC-SHA256"
    assert fields["Credential"] == f"{NODE}/{scope}"
    # The canonical request, written out by hand from AWS's description.
    canonical = (
        "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:127.0.0.1:4566\n"
        f"x-amz-date:{when}\nx-amz-target:AmazonSSM.X\n\n"
        f"content-type;host;x-amz-date;x-amz-target\n{hashlib.sha256(body).hexdigest()}"
    )
    text = f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    signature = base64.b64decode(fields["Signature"], validate=True)
    key.public_key().verify(signature, text.encode(), scheme, hashes.SHA256())
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, text.encode() + b"x", scheme, hashes.SHA256())


def test_secrets_are_not_in_the_repr() -> None:
    shown = repr(RoleCredentials("AKID", "very-secret", "very-token"))
    assert "AKID" in shown
    assert "very" not in shown
